//! Those who mean harm are refused, and everybody else is served meanwhile.

use std::io::Write;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::events::Events;
use crate::served::{Connection, Served, TOKEN, shop};

#[test]
fn a_foreign_name_and_a_foreign_site_get_nothing() {
    let home = shop();
    for served in [Served::socket(&home, &["--allow-writes"]), Served::address(&home, &["--allow-writes"])] {
        let token = format!("Authorization: Bearer {TOKEN}");
        for (line, status) in [
            ("Host: evil.example", 421),
            ("Host: localhost.evil.example", 421),
            ("Host: evil.example\r\nX-Forwarded-Host: localhost", 421),
            ("Host: localhost\r\nHost: evil.example", 400),
            ("Origin: http://evil.example", 403),
            ("Origin: null", 403),
            ("Sec-Fetch-Site: cross-site", 403),
            ("Sec-Fetch-Site: same-site", 403),
        ] {
            for path in ["/api/status", "/events", "/metrics", "/compat/pm2", "/page.js"] {
                let answer = served.asks("GET", path, &[line, &token], "");
                assert_eq!(answer.status, status, "{path} {line}: {answer:?}");
                assert!(!answer.body.contains("shop"), "{path} {line}: {answer:?}");
            }
        }
        let bare = served.sends(b"GET /api/status HTTP/1.0\r\n\r\n").expect("an answer");
        assert_eq!(bare.status, 400, "{bare:?}");
        drop(served);
    }
}

#[test]
fn without_the_token_nothing_of_the_apps_is_shown() {
    let home = shop();
    let served = Served::address(&home, &[]);
    for line in [
        "X-None: 1".to_owned(),
        "Authorization: Bearer".to_owned(),
        "Authorization: Bearer x".to_owned(),
        format!("Authorization: Bearer {}", &TOKEN[..31]),
        format!("Authorization: Bearer {TOKEN}x"),
        format!("Authorization: Basic {TOKEN}"),
        format!("Cookie: formation={TOKEN}"),
        "Cookie: formation=".to_owned(),
    ] {
        for path in
            ["/", "/api/status", "/events", "/metrics", "/compat/pm2", "/api/openapi.json", "/page.js"]
        {
            let answer = served.asks("GET", path, &[&line], "");
            assert_eq!(answer.status, 401, "{path} {line}: {answer:?}");
            assert!(!answer.body.contains("shop"), "{path} {line}: {answer:?}");
        }
    }
    // Neither is it taken from the address, where it would stand in logs and histories.
    assert_eq!(served.asks("GET", &format!("/?token={TOKEN}"), &[], "").status, 401);
    let form = "Content-Type: application/x-www-form-urlencoded";
    assert_eq!(served.asks("POST", "/login", &[form], "token=x").status, 401);
    assert_eq!(
        served
            .asks("POST", "/login", &[form, "Origin: http://evil.example"], &format!("token={TOKEN}"))
            .status,
        403
    );
    let taken = served.asks("POST", "/login", &[form], &format!("token={TOKEN}"));
    let cookie = taken.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = format!("Cookie: {}", cookie.split(';').next().expect("its value"));
    assert!(served.asks("GET", "/", &[&cookie], "").body.contains("shop"));
}

#[test]
fn no_path_leads_out() {
    let home = shop();
    let served = Served::socket(&home, &[]);
    for path in [
        "/../../etc/passwd",
        "/page.css/../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/api/apps/..%2f..%2fetc/logs",
        "/api/apps/%2e%2e/events",
        "/api/apps/%3Cscript%3Ealert(1)%3C%2Fscript%3E/explain",
        "/api/apps/--help/logs",
        "/api/apps/shop%00/logs",
        "/api/apps/shop/logs?process=../web.1",
        "//etc/passwd",
        "/\u{0}",
        "*",
        "etc/passwd",
    ] {
        let answer = served.asks("GET", path, &[], "");
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
        assert!(
            !answer.body.contains("root:") && !answer.body.contains("<script>alert(1)</script>\n"),
            "{path}: {answer:?}"
        );
        // What it says of a name is JSON, which no browser takes for a page.
        let is_text = answer.body.is_empty() || answer.head.contains("nosniff");
        assert!(is_text && !answer.head.contains("text/html"), "{path}: {answer:?}");
    }
    served.gets("/");
}

#[test]
fn a_head_without_end_and_what_is_no_request_hurt_nobody() {
    let home = shop();
    let mut served = Served::socket(&home, &[]);
    let many = "X: 1\r\n".repeat(100_000);
    let long = format!("X: {}\r\n", "x".repeat(10 << 20));
    for bomb in [
        format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n"),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\n{long}\r\n"),
        format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(10 << 20)),
        "x".repeat(1 << 20),
        "\u{0}\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n".to_owned(),
    ] {
        let begin: String = bomb.chars().take(40).collect();
        // It may close before it has an answer ready, because it has not read all of it.
        if let Some(answer) = served.sends(bomb.as_bytes()) {
            assert!((400..600).contains(&answer.status), "{begin}: {answer:?}");
        }
        served.gets("/api/status");
    }
    assert!(served.memory() < 64 << 10, "{} KiB", served.memory());
}

/// What those who never read cost: no memory that grows, and nobody else has to wait for them.
#[test]
fn many_slow_readers_of_events_hold_up_nobody() {
    let is_long = std::env::var_os("FORMATION_TEST_LONG").is_some();
    let count = if is_long { 10_000 } else { 200 };
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("up to what is allowed");
    let home = shop();
    let mut served = Served::socket(&home, &[]);
    served.gets("/api/status");
    let before = served.memory();
    let mut slow: Vec<Connection> = Vec::new();
    for _ in 0..count {
        let mut connection = served.connect();
        connection.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it reads");
        slow.push(connection);
    }
    let mut events = Events::of(&served, "/events", "");
    for many in 3..6 {
        home.does(&["ps-scale", "shop", &format!("web={many}")]);
        events.until(&format!("web.{many}"), "running");
        served.gets("/api/status");
    }
    let after = served.memory();
    assert!(after < before + 8192 + count * 16, "{before} KiB before, {after} KiB with {count} readers");
    slow.iter().for_each(Connection::shut);
    served.gets("/");
}
