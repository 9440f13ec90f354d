//! Messages of workers, and messages that only look like theirs.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

fn asked(fields: &str) -> Result<Place, Errno> {
    let line = format!("{{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"seq\":5,{fields}}}");
    match read(line.as_bytes()) {
        Said::Query(query) => query.place,
        other => panic!("{other:?}"),
    }
}

fn at(address: Option<IpAddr>, number: u16) -> Port {
    let is_v6 = address.is_none_or(|address| address.is_ipv6());
    Port { address, scope: 0, number, is_v6_only: false, is_v6, index: 0, reuses: false }
}

#[test]
fn a_place_is_read_as_node_means_it() {
    let local = Some(IpAddr::from(Ipv4Addr::LOCALHOST));
    let v6 = Some(IpAddr::from(Ipv6Addr::LOCALHOST));
    for (fields, place) in [
        (r#""port":8000,"address":null,"addressType":4,"index":0"#, Place::Tcp(at(None, 8000))),
        (r#""port":8000,"addressType":4,"fd":-1,"index":3"#, Place::Tcp(at(None, 8000))),
        (r#""port":8000,"address":"127.0.0.1","addressType":4"#, Place::Tcp(at(local, 8000))),
        (
            r#""port":80,"address":"::1","addressType":6,"flags":1"#,
            Place::Tcp(Port { is_v6_only: true, ..at(v6, 80) }),
        ),
        (r#""port":0,"address":"::1","addressType":6,"index":2"#, Place::Tcp(Port { index: 2, ..at(v6, 0) })),
        (r#""port":53,"address":"::1%7","addressType":"udp6""#, Place::Udp(Port { scope: 7, ..at(v6, 53) })),
        (
            r#""port":53,"address":"127.0.0.1","addressType":"udp4","flags":4"#,
            Place::Udp(Port { reuses: true, ..at(local, 53) }),
        ),
        (r#""port":53,"addressType":"udp4""#, Place::Udp(Port { is_v6: false, ..at(None, 53) })),
        (r#""port":-1,"address":"/run/app.sock","addressType":-1"#, Place::Path("/run/app.sock".into())),
    ] {
        assert_eq!(asked(fields), Ok(place), "{fields}");
    }
}

#[test]
fn a_place_that_nobody_can_have_has_an_error_that_node_knows() {
    for (fields, error) in [
        (r#""port":0,"fd":7"#, Errno::BADF),
        (r#""port":70000"#, Errno::INVAL),
        (r#""port":80,"address":"host.example""#, Errno::INVAL),
        (r#""port":80,"address":"fe80::1%nowhere0""#, Errno::NODEV),
        (r#""port":-1,"address":"app.sock""#, Errno::INVAL),
        (r#""port":-1"#, Errno::INVAL),
    ] {
        assert_eq!(asked(fields), Err(error), "{fields}");
    }
}

#[test]
fn what_belongs_to_the_app_is_left_to_it_whatever_it_looks_like() {
    for line in [
        "\"NODE_CLUSTER\"",
        "[\"NODE_CLUSTER\"]",
        "{\"cmd\":5}",
        "{\"cmd\":\"of the app\",\"act\":\"close\"}",
        "{\"act\":\"listening\"}",
        "null",
        &format!("{}{}", "[".repeat(500), "]".repeat(500)),
    ] {
        assert_eq!(read(line.as_bytes()), Said::App, "{line}");
    }
    for line in ["", "{", "x", "{\"cmd\":\"NODE_CLUSTER\"", "\u{0}", "{\"cmd\":\"NODE_CLUSTER\"} {}"] {
        assert_eq!(read(line.as_bytes()), Said::Garbage, "{line}");
    }
    assert_eq!(read(&[0xff, 0xfe]), Said::Garbage);
}

#[test]
fn a_message_of_node_that_lacks_what_it_needs_asks_for_nothing() {
    for fields in [
        "",
        ",\"act\":\"queryServer\"",
        ",\"act\":\"queryServer\",\"seq\":-1",
        ",\"act\":\"exitedAfterDisconnect\"",
        ",\"act\":7,\"ack\":\"x\"",
        ",\"act\":\"online\",\"seq\":0",
        ",\"ack\":1.5",
    ] {
        assert_eq!(read(format!("{{\"cmd\":\"NODE_CLUSTER\"{fields}}}").as_bytes()), Said::Other, "{fields}");
    }
    assert_eq!(read(b"{\"cmd\":\"NODE_DEBUG_ENABLED\"}"), Said::Other);
    let refused = read(b"{\"cmd\":\"NODE_CLUSTER\",\"ack\":3,\"accepted\":\"yes\"}");
    assert_eq!(refused, Said::Answer { to: 3, accepted: false });
    let leaves = read(b"{\"cmd\":\"NODE_CLUSTER\",\"act\":\"suicide\",\"seq\":9}");
    assert_eq!(leaves, Said::Leaves(Asked::Number(9)));
}

#[test]
fn data_that_workers_share_are_kept_where_they_are_short() {
    let data = |size: usize| {
        let line = json!({"cmd": "NODE_CLUSTER", "act": "queryServer", "seq": 1, "port": 443, "data": "x".repeat(size)});
        match read(line.to_string().as_bytes()) {
            Said::Query(query) => query.data,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(data(48), json!("x".repeat(48)));
    assert_eq!(data(5000), Value::Null);
}

#[test]
fn the_messages_of_node_0_10_are_understood_and_answered_in_its_words() {
    let asked = Asked::Word("1:4".to_owned());
    let line = br#"{"addressType":4,"port":8001,"address":"0.0.0.0","cmd":"NODE_CLUSTER_queryServer","_requestEcho":"1:4"}"#;
    let Said::Query(query) = read(line) else { panic!("it is a question") };
    let Ok(Place::Tcp(port)) = &query.place else { panic!("{:?}", query.place) };
    assert_eq!((query.asked.clone(), port.number), (asked.clone(), 8001));
    assert_eq!(read(br#"{"port":8001,"cmd":"NODE_CLUSTER_listening"}"#), Said::Listening);
    let leaves = br#"{"cmd":"NODE_CLUSTER_suicide","_requestEcho":"1:4"}"#;
    assert_eq!(read(leaves), Said::Leaves(asked.clone()));
    for other in ["NODE_CLUSTER_online", "NODE_CLUSTER_queryServer", "NODE_CLUSTER_"] {
        assert_eq!(read(format!("{{\"cmd\":\"{other}\"}}").as_bytes()), Said::Other, "{other}");
    }
    let answer = json!({"cmd": "NODE_CLUSTER_", "_queryEcho": "1:4"});
    assert_eq!(may_listen(&asked, "key", &Value::Null, None), answer);
    assert_eq!((may_not_listen(&asked, Errno::ADDRINUSE), heard(&asked)), (answer.clone(), answer));
    assert_eq!(disconnect(true), json!({"cmd": "NODE_CLUSTER_disconnect"}));
}
