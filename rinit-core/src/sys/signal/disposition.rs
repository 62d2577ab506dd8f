//! `rt_sigaction(2)`: the action taken when a signal is delivered.

use super::mask::KERNEL_SET_BYTES;
use crate::signal::Signal;
use crate::sys::check;
use rustix::io;
use std::ptr;

/// A signal's disposition. Handlers do not survive `execve(2)`; the others do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disposition {
    Default,
    Ignore,
    Handler,
}

/// The kernel's `struct sigaction`, which is not libc's: order and size differ, and riscv has no restorer.
#[repr(C)]
#[derive(Clone, Copy)]
struct KernelSigaction {
    handler: usize,
    flags: libc::c_ulong,
    #[cfg(not(any(target_arch = "riscv64", target_arch = "riscv32", target_arch = "loongarch64")))]
    restorer: usize,
    // Not a u64: its alignment of 8 on 32-bit Arm would move it away from where the kernel has it.
    mask: [u32; 2],
    // Room for the restorer that qemu-user 7.2 writes on riscv too; the kernel does not touch it.
    #[cfg(any(target_arch = "riscv64", target_arch = "riscv32", target_arch = "loongarch64"))]
    room: usize,
}

impl KernelSigaction {
    const DEFAULT: Self = Self {
        handler: libc::SIG_DFL,
        flags: 0,
        #[cfg(not(any(target_arch = "riscv64", target_arch = "riscv32", target_arch = "loongarch64")))]
        restorer: 0,
        mask: [0; 2],
        #[cfg(any(target_arch = "riscv64", target_arch = "riscv32", target_arch = "loongarch64"))]
        room: 0,
    };

    fn disposition(&self) -> Disposition {
        match self.handler {
            libc::SIG_DFL => Disposition::Default,
            libc::SIG_IGN => Disposition::Ignore,
            _ => Disposition::Handler,
        }
    }
}

/// Sets the disposition to default or ignore; returns the previous one. `Handler` cannot be set and becomes default.
///
/// Async-signal-safe: one raw system call, which reaches signals 32 to 34 that libc refuses.
pub(crate) fn set_disposition(signal: Signal, disposition: Disposition) -> io::Result<Disposition> {
    let handler = if disposition == Disposition::Ignore { libc::SIG_IGN } else { libc::SIG_DFL };
    let new = KernelSigaction { handler, ..KernelSigaction::DEFAULT };
    let mut old = KernelSigaction::DEFAULT;
    let (number, new) = (signal.number(), ptr::from_ref(&new));
    // SAFETY: `new` is a live kernel sigaction whose handler is SIG_DFL or SIG_IGN, so no code pointer is installed;
    // `old` is a live one to be filled.
    let result = unsafe { libc::syscall(libc::SYS_rt_sigaction, number, new, &raw mut old, KERNEL_SET_BYTES) };
    check(result)?;
    Ok(old.disposition())
}

/// True if the signal is ignored here; false where that cannot be known.
pub(crate) fn is_ignored(signal: Signal) -> bool {
    SavedDisposition::of(signal).is_ok_and(|saved| saved.action.disposition() == Disposition::Ignore)
}

/// A disposition with its handler, which can be restored in the same program.
pub(crate) struct SavedDisposition {
    signal: Signal,
    action: KernelSigaction,
}

impl SavedDisposition {
    /// Reads the signal's disposition.
    pub(crate) fn of(signal: Signal) -> io::Result<Self> {
        let mut action = KernelSigaction::DEFAULT;
        let new = ptr::null::<KernelSigaction>();
        // SAFETY: without a new action nothing is changed; `action` is a live kernel sigaction to be filled.
        let result =
            unsafe { libc::syscall(libc::SYS_rt_sigaction, signal.number(), new, &raw mut action, KERNEL_SET_BYTES) };
        check(result)?;
        Ok(Self { signal, action })
    }

    /// Restores it.
    pub(crate) fn restore(&self) -> io::Result<()> {
        let (action, old) = (ptr::from_ref(&self.action), ptr::null_mut::<KernelSigaction>());
        // SAFETY: the kernel returned this action for this signal, in this process or in the one that it was forked from, so
        // handler and restorer are code at the same addresses.
        let result =
            unsafe { libc::syscall(libc::SYS_rt_sigaction, self.signal.number(), action, old, KERNEL_SET_BYTES) };
        check(result)?;
        Ok(())
    }
}
