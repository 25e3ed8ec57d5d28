// What Piscina loads in a new thread: no ES module, for the reason that lib/host/thread-entry.cts gives. The module that does the work is
// the data of the thread.

module.exports = async (task: unknown): Promise<unknown> => {
  const { workerData } = await import('piscina');
  const { default: run } = (await import(workerData as string)) as { default: (task: unknown) => Promise<unknown> };
  return run(task);
};
