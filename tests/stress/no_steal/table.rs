//! The table in the documentation, made of what was counted.

use super::soak;
use support::{harness, in_repository};

const BEGIN: &str = "<!-- no_steal: begin -->\n";
const END: &str = "<!-- no_steal: end -->";

/// Runs every mode, and replaces what is between the markers.
pub(crate) fn write(tests: &[&str]) {
    let file = in_repository("docs/embedding.md");
    let page = std::fs::read_to_string(&file).expect("docs/embedding.md");
    let (before, rest) = page.split_once(BEGIN).expect("the first marker");
    let (_, after) = rest.split_once(END).expect("the second marker");
    let uname = rustix::system::uname();
    let mut table = format!(
        "Linux {}, {} processors; {} s for each of the first four, at most 10 s for the others.\n\n\
         | who waits for the orphans | statuses waited for | right | lost | orphans | oldest zombie orphan |\n\
         |---|---|---|---|---|---|\n",
        uname.release().to_string_lossy(),
        std::thread::available_parallelism().map_or(0, usize::from),
        soak().as_secs(),
    );
    for name in tests {
        let output = harness::alone(&format!("no_steal::{name}")).output().expect("run the test");
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
