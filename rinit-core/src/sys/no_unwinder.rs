//! A program without the unwinder, and so without std's backtraces.

/// Defines the unwinder's functions as ones that do nothing, for a static program that aborts at a panic.
///
/// Nothing unwinds there. The unwinder only walks the stack for `RUST_BACKTRACE=1`, and a stripped program has no names to print:
/// with its own `_Unwind_Backtrace`, which never calls back, std's reader of debug information is not linked either. That is a
/// quarter of the program. The message of a panic, with its file and line, stays.
///
/// Elsewhere the macro defines nothing. On 32-bit ARM the unwinder is another one.
#[doc(hidden)]
#[macro_export]
macro_rules! __no_unwinder {
    () => {
        #[cfg(all(panic = "abort", target_feature = "crt-static", not(target_arch = "arm")))]
        mod unwinder {
            use ::std::ffi::{c_int, c_void};

            /// `_URC_END_OF_STACK`: there is no further frame.
            const END_OF_STACK: c_int = 5;

            #[unsafe(no_mangle)]
            extern "C" fn _Unwind_Backtrace(_callback: *const c_void, _argument: *mut c_void) -> c_int {
                END_OF_STACK
            }

            // What std's code names and never calls where a panic aborts. All of them, since they are one object in gcc's
            // library.
            $crate::__no_unwinder!(
                _Unwind_DeleteException, _Unwind_FindEnclosingFunction, _Unwind_ForcedUnwind, _Unwind_GetCFA,
                _Unwind_GetDataRelBase, _Unwind_GetIP, _Unwind_GetIPInfo, _Unwind_GetLanguageSpecificData, _Unwind_GetRegionStart,
                _Unwind_GetTextRelBase, _Unwind_RaiseException, _Unwind_Resume, _Unwind_SetGR, _Unwind_SetIP
            );
        }
    };
    ($($name:ident),+) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $name() -> ! {
                ::std::process::abort()
            }
        )+
    };
}
