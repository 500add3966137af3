/** The thread of a role: runs it, and reports to the supervisor how it ended. */
import { runThread } from "../base/thread.ts";
import {
  type FromRole,
  type RoleWork,
  runRole,
  withContext,
} from "./run_role.ts";

runThread<RoleWork, never, FromRole>((work, starter) =>
  withContext(
    work,
    starter,
    (context) => runRole(work.role, context, work.settings, starter.send),
  )
);
