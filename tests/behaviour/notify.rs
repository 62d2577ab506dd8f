//! `NOTIFY_SOCKET`: main's messages reach the service manager as main's own, and rinit sends none.

use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::unix::net::UnixDatagram;
use support::rinit::Rinit;
use support::{needs, require, test};

/// Returns the next message and its sender's pid, as systemd receives it: the kernel provides the pid.
#[track_caller]
fn next(listener: &UnixDatagram) -> (String, i32) {
    let mut bytes = [0; 4096];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let parts = &mut [IoSliceMut::new(&mut bytes)];
    let received = recvmsg(listener, parts, &mut ancillary, RecvFlags::empty()).expect("a message");
    let sender = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmCredentials(credentials) => Some(credentials.pid.as_raw_pid()),
        _ => None,
    });
    let text = String::from_utf8(bytes[..received.bytes].to_vec()).expect("UTF-8");
    (text, sender.expect("credentials"))
}

/// So `NotifyAccess=all` is right, and `NotifyAccess=main` would take rinit for the sender that it waits for.
#[test]
fn messages_come_from_main_and_from_no_other_process() {
    require(needs::programs(&["systemd-notify"]));
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    let listener = UnixDatagram::bind(&path).expect("a socket");
    listener.set_read_timeout(Some(support::deadline())).expect("a timeout");
    set_socket_passcred(&listener, true).expect("SO_PASSCRED");
    // exec: then it is main itself that sends, and not a child of it that may be gone when systemd looks.
    let script = "echo main $$; read line; exec systemd-notify --no-block --pid=self --ready --status=serving";
    let mut running = Rinit::new().shell(script).env("NOTIFY_SOCKET", &path).start();
    let main = running.out.wait("main ").replace("main ", "").parse::<i32>().expect("a pid");
    running.close_stdin();
    let (text, sender) = next(&listener);
    assert_eq!(sender, main);
    assert!(text.contains("READY=1") && text.contains("STATUS=serving"), "{text}");
    assert_eq!(running.finished().code, 0);
    // rinit has sent nothing: neither MAINPID, which would make systemd signal main past rinit, nor anything at the end.
    listener.set_nonblocking(true).expect("non-blocking");
    let more = listener.recv(&mut [0; 4096]);
    assert_eq!(more.expect_err("no message").kind(), std::io::ErrorKind::WouldBlock);
}
