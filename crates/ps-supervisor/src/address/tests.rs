use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use ::balance::wire::{Introduction, Mode, Report, Share, VERSION};

use super::*;

#[test]
fn one_that_ends_before_it_serves_rests_longer_each_time_until_another_one_has_spoken() {
    let service = tempfile::tempdir().expect("a directory");
    let mut address = Address::left(service.path());
    let listener = UnixListener::bind(service.path().join(BALANCE_SOCKET)).expect("bound");
    let start = |address: &mut Address| -> UnixStream {
        address.balance = Balance::left(service.path());
        listener.accept().expect("it has connected").0
    };
    let mut rests = Vec::new();
    for _ in 0..6 {
        drop(start(&mut address));
        let before = Instant::now();
        assert!(address.lose(), "it has said nothing");
        let until = address.rests_until.expect("it rests");
        rests.push(until.duration_since(before).as_millis() / 250);
    }
    assert_eq!(rests, [1, 2, 4, 8, 16, 16]);
    address.complaint = Some(CANNOT_SERVE.to_owned());
    let mut served = start(&mut address);
    assert_eq!(address.settle_complaint(), None);
    served.write_all(b"{\"applied\":{\"revision\":1}}\n").expect("said");
    assert_eq!(address.hear(), Heard::Nothing);
    assert_eq!(address.settle_complaint().as_deref(), Some(CANNOT_SERVE));
    assert_eq!(address.rest, PAUSE);
    assert!(!address.lose(), "it has served");
}

#[test]
fn its_last_instances_are_taken_from_one_that_is_to_leave_once_it_accepts_nobody_any_more() {
    let service = tempfile::tempdir().expect("a directory");
    let mut address = Address::left(service.path());
    let listener = UnixListener::bind(service.path().join(BALANCE_SOCKET)).expect("bound");
    address.balance = Balance::left(service.path());
    let (mut served, _) = listener.accept().expect("it has connected");
    served.set_nonblocking(true).expect("set");
    let told = |served: &mut UnixStream| {
        let mut bytes = [0; 4096];
        let length = served.read(&mut bytes).unwrap_or(0);
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let hello = Report::Hello(Introduction {
        version: VERSION,
        mode: Mode::Tcp,
        reach: Some(Reach {
            listeners: vec![Listening { address: "127.0.0.1:5000".parse().expect("an address"), tls: false }],
            options: address.reached().reach.options,
        }),
    });
    let say = |served: &mut UnixStream, report: &Report| {
        let line = serde_json::to_string(report).expect("plain data") + "\n";
        served.write_all(line.as_bytes()).expect("said");
    };
    say(&mut served, &hello);
    address.hear();
    told(&mut served);
    address.is_left = true;
    address.table.update(Vec::new());
    address.table.share_by(Share::Count);
    address.tell();
    let said = told(&mut served);
    assert!(said.contains("\"reach\"") && !said.contains("\"set\""), "{said}");
    say(&mut served, &Report::Reached { refused: None });
    address.hear();
    address.tell();
    let said = told(&mut served);
    assert!(said.contains("\"set\""), "{said}");
}
