// What Piscina loads in a new thread. It loads with `require`; an ES module that is loaded so, in a thread that is killed at that moment,
// makes V8 end the whole process (Node 20: "Module::IsGraphAsync must be used on an instantiated module"). This file is no ES module.

module.exports = async (boot: never): Promise<void> => {
  const { default: run } = await import('./thread.ts');
  await run(boot);
};
