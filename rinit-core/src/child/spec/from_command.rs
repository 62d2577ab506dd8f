//! Converts std's `Command`.

use super::ChildSpec;
use std::process::Command;

/// Takes over what std's [`Command`] shows: program, arguments, changes to the environment, working directory.
///
/// `Command` does **not** show `stdin`, `stdout` and `stderr`, `env_clear`, `uid`, `gid` and `groups`, `arg0`, `process_group`,
/// and `pre_exec`. Set them again on the result, if [`ChildSpec`] has them.
///
/// Process group and signals have the defaults of [`ChildSpec`], not those of `Command`: a process group of its own, and an empty
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
