//! A test program without libtest: each scenario runs in a process of its own, of which it is the only user.

use std::process::Command;

/// A name, and what is run under it.
pub(crate) type Scenario = (&'static str, fn());

/// The `main` of such a program: runs the scenario that `--scenario NAME` names, or, each in a process of its own, all whose
/// names contain the first argument that is no flag. Ends with 1 if one has failed.
pub(crate) fn main(scenarios: &[Scenario]) {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(name) = arguments.iter().position(|word| word == "--scenario").and_then(|at| arguments.get(at + 1)) {
        let scenario = scenarios.iter().find(|(known, _)| known == name).expect("a known scenario");
        return scenario.1();
    }
    let filter = arguments.iter().skip(1).find(|word| !word.starts_with('-'));
    let mut failed = 0;
    let chosen: Vec<_> =
        scenarios.iter().filter(|(name, _)| filter.is_none_or(|filter| name.contains(filter))).collect();
    for (name, _) in &chosen {
        let this = std::env::current_exe().expect("the path of this program");
        let output = Command::new(this).args(["--scenario", name]).output().expect("run the scenario");
        let ok = output.status.success();
        println!("test {name} ... {}", if ok { "ok" } else { "FAILED" });
        print!("{}", String::from_utf8_lossy(&output.stdout));
        if !ok {
            failed += 1;
            println!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        }
    }
    println!("\n{} passed, {failed} failed", chosen.len() - failed);
    std::process::exit(i32::from(failed > 0));
}
