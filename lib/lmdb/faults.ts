// Named places at which a test may end the process, to see that nothing is lost there.

export function fault(_name: string): void {}
