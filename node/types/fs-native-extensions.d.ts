/** What we use of fs-native-extensions, which comes without types: locks on a range of bytes of an open file. */
declare module 'fs-native-extensions' {
  const locks: {
    /** @returns false where another open file holds any of these bytes. Throws the system's error otherwise. */
    tryLock(
      descriptor: number,
      offset: number,
      length: number,
      options?: { readonly shared: boolean },
    ): boolean;
    unlock(descriptor: number, offset: number, length: number): void;
  };
  export default locks;
}
