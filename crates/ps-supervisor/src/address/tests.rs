use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};

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
