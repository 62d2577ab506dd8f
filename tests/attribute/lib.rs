//! The `#[test]` of rinit's integration tests. It registers a function with `support::harness`, which can report a test as
//! skipped with its reason; the `#[test]` of the standard library cannot.

use proc_macro::{TokenStream, TokenTree};

/// Registers a function as a test. `#[test(own_process)]` runs it as the only thread of a process of its own, for tests that
/// reap any child, change signal masks or split.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, function: TokenStream) -> TokenStream {
    let own_process = match arguments.to_string().as_str() {
        "" => false,
        "own_process" => true,
        other => panic!("the argument of #[test] is own_process, not {other}"),
    };
    let mut words = function.clone().into_iter();
    words.find(|word| matches!(word, TokenTree::Ident(word) if word.to_string() == "fn")).expect("a function");
    let name = words.next().expect("the function has a name");
    let registration = format!(
        "::support::inventory::submit! {{
            ::support::harness::Test::new(::core::concat!(::core::module_path!(), \"::{name}\"), {own_process}, {name})
        }}"
    );
    let mut result = function;
    result.extend(registration.parse::<TokenStream>().expect("valid Rust"));
    result
}
