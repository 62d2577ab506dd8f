//! From std's `Command`.

use super::ChildSpec;
use std::process::Command;

/// What std's [`Command`] shows of itself: program, arguments, changes to the environment, working directory.
///
/// **Not** taken over, because `Command` does not show it: `stdin`, `stdout` and `stderr`, `env_clear`, `uid`, `gid` and
/// `groups`, `arg0`, `process_group`, `pre_exec`. Say them again on the result, where [`ChildSpec`] has them.
///
/// Group and signals are [`ChildSpec`]'s own defaults and not those of `Command`: a process group of its own, an empty
/// signal mask.
///
/// ```
/// use rinit_core::{ChildSpec, Reaper};
/// use std::process::Command;
/// # fn main() -> Result<(), rinit_core::Error> {
/// let mut command = Command::new("sh");
/// command.args(["-c", "exit $CODE"]).env("CODE", "7").current_dir("/");
/// let mut child = Reaper::exclusive()?.spawn(&ChildSpec::from(&command))?;
/// assert_eq!(child.wait()?.exit_code(), 7);
/// # Ok(())
/// # }
/// ```
impl From<&Command> for ChildSpec {
    fn from(command: &Command) -> Self {
        let mut spec = Self::new(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            spec = match value {
                Some(value) => spec.env(name, value),
                None => spec.env_remove(name),
            };
        }
        match command.get_current_dir() {
            Some(directory) => spec.current_dir(directory),
            None => spec,
        }
    }
}
