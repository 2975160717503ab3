// Where a session is kept between visits.
//
// An adapter knows nothing of sessions: it keeps a text under a name.

/** Keeps texts. Each method may answer at once or with a promise. */
export interface Storage {
  get(key: string): string | null | Promise<string | null>;
  set(key: string, value: string): void | Promise<void>;
  remove(key: string): void | Promise<void>;
  /** Runs one at a time among all that share this storage, such as the tabs of a browser. */
  lock?<T>(key: string, run: () => Promise<T>): Promise<T>;
  /** Tells when somebody else changed the text. Gives back how to stop. */
  watch?(key: string, changed: () => void): () => void;
}

/** Forgets everything when the page or process ends. */
export function memoryStorage(): Storage {
  const held = new Map<string, string>();
  return {
    get: (key) => held.get(key) ?? null,
    set: (key, value) => void held.set(key, value),
    remove: (key) => void held.delete(key),
  };
}

/** The browser's `localStorage`, shared by its tabs. */
export function browserStorage(store: globalThis.Storage = window.localStorage): Storage {
  const storage: Storage = {
    get: (key) => store.getItem(key),
    set: (key, value) => store.setItem(key, value),
    remove: (key) => store.removeItem(key),
    watch(key, changed) {
      const heard = (event: StorageEvent) => {
        // A null key means that everything was cleared.
        if (event.key === key || event.key === null) changed();
      };
      window.addEventListener("storage", heard);
      return () => window.removeEventListener("storage", heard);
    },
  };
  // Locks exist in secure contexts only. Without them two tabs may refresh at once; the loser then finds the winner's
  // session in the store.
  const locks = navigator.locks as LockManager | undefined;
  if (locks) storage.lock = async (key, run) => await locks.request(key, run);
  return storage;
}

/** `localStorage` in a browser that allows it, memory elsewhere. */
export function defaultStorage(): Storage {
  try {
    const probe = "stead.probe";
    window.localStorage.setItem(probe, probe);
    window.localStorage.removeItem(probe);
    return browserStorage();
  } catch {
    // No window, or the browser refuses to store anything.
    return memoryStorage();
  }
}
