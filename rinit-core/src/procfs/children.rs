//! `/proc/pid/task/tid/children`.

use super::stat::number;
use crate::pid::Pid;

/// Returns the pids of the file, in its order. Other words are skipped.
///
/// Source: `proc_tid_children(5)`: complete only while no child ends during the reading, so that readers come again.
pub(crate) fn parse(bytes: &[u8]) -> impl Iterator<Item = Pid> {
    bytes.split(u8::is_ascii_whitespace).filter_map(number).filter_map(Pid::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists() {
        let pids = |bytes: &[u8]| parse(bytes).map(Pid::get).collect::<Vec<_>>();
        assert_eq!(pids(b"2 3 4194304 "), [2, 3, 4_194_304]);
        assert_eq!(pids(b""), [0; 0]);
        assert_eq!(pids(b"0 -5 x 99999999999 7"), [7]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes).count();
        }

        #[test]
        fn any_list_is_read(pids in prop::collection::vec(1..=i32::MAX, 0..50)) {
            let text = pids.iter().map(|pid| format!("{pid} ")).collect::<String>();
            prop_assert_eq!(parse(text.as_bytes()).map(Pid::get).collect::<Vec<_>>(), pids);
        }
    }
}
