//! The table in the documentation, made of what was counted.

use crate::scenarios::Scenario;
use crate::soak;
use std::path::Path;
use std::process::Command;

const BEGIN: &str = "<!-- no_steal: begin -->\n";
const END: &str = "<!-- no_steal: end -->";

/// Runs every mode, and replaces what is between the markers.
pub(crate) fn write(scenarios: &[Scenario]) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/embedding.md");
    let page = std::fs::read_to_string(&file).expect("docs/embedding.md");
    let (before, rest) = page.split_once(BEGIN).expect("the first marker");
    let (_, after) = rest.split_once(END).expect("the second marker");
    let uname = rustix::system::uname();
    let mut table = format!(
        "Linux {}, {} processors; {} s for each of the first three, at most 10 s for the others.\n\n\
         | who waits for the orphans | statuses waited for | right | lost | orphans | oldest zombie orphan |\n\
         |---|---|---|---|---|---|\n",
        uname.release().to_string_lossy(),
        std::thread::available_parallelism().map_or(0, usize::from),
        soak().as_secs(),
    );
    for (name, _) in scenarios {
        let this = std::env::current_exe().expect("the path of this program");
        let output = Command::new(this).args(["--scenario", name]).output().expect("run the scenario");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {text}{}", String::from_utf8_lossy(&output.stderr));
        print!("{text}");
        text.lines().filter(|line| line.starts_with("| ")).for_each(|line| {
            table += line;
            table.push('\n');
        });
    }
    std::fs::write(&file, format!("{before}{BEGIN}{table}{END}{after}")).expect("write");
}
