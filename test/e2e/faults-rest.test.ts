// The matrix of faults, seen by a client of the server.

import { testFaults } from './fault-promises.ts';

testFaults('REST');
