// The memory of this process, looked at again and again: what counts is the most it ever was.

const LOOK_EVERY_MS = 10;

export interface RssWatch {
  /** Ends the watch; the greatest resident set that was seen, in bytes. */
  most(): number;
}

export function watchRss(): RssWatch {
  let mostBytes = process.memoryUsage.rss();
  const look = (): number => (mostBytes = Math.max(mostBytes, process.memoryUsage.rss()));
  const timer = setInterval(look, LOOK_EVERY_MS);
  return {
    most: () => {
      clearInterval(timer);
      return look();
    },
  };
}
