// Replaced by the built bundle of sdk-client/typescript.
export {};
