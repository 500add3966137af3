/** The commit that the program is built from. The build of an image or a release replaces this file. */
export const COMMIT: string = "";
