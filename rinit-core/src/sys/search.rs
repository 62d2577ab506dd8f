//! A text in a large file.

/// True if the bytes contain the text (`memmem(3)`). It takes microseconds also in a build without optimization, in which a loop
/// over the bytes takes seconds.
pub(crate) fn contains(bytes: &[u8], text: &str) -> bool {
    // SAFETY: both are live for their lengths, and the call only reads them.
    !unsafe { libc::memmem(bytes.as_ptr().cast(), bytes.len(), text.as_ptr().cast(), text.len()) }.is_null()
}

#[cfg(test)]
mod tests {
    use super::contains;

    #[test]
    fn texts() {
        for (bytes, text, expected) in
            [(&b"\xff\0abc"[..], "abc", true), (b"ab", "abc", false), (b"", "a", false), (b"a", "a", true)]
        {
            assert_eq!(contains(bytes, text), expected, "{bytes:?} {text}");
        }
    }
}
