/** The commit that the program is built from. What builds an image or a release writes this file anew. */
export const COMMIT: string = "";
