//! Corrects the upstreams of an nginx configuration, as text in and text out. Dokku's template, and templates of apps
//! that were made from it, join the address of each listener with a port of the port map. That is right for
//! containers, because each has an address of its own. It is wrong for native processes, which share one address and
//! have a port each. Only servers written in that way are changed; every other byte stays.

use std::ops::Range;

/// Where the upstreams of an app should lead.
pub(crate) struct Wanted<'a> {
    /// The app's name. Dokku's template names an upstream `<app>-<port>`.
    pub(crate) app: &'a str,
    /// The address of the listeners: `127.0.0.1`.
    pub(crate) host: &'a str,
    /// The ports of the listeners, in the order of their slots; at least one.
    pub(crate) listeners: &'a [u16],
    /// The container ports of the app's port map, on which no native process listens.
    pub(crate) mapped: &'a [u16],
}

/// A simple directive: its words, and the range of text from its first word to its `;`.
struct Statement {
    words: Vec<String>,
    span: Range<usize>,
}

/// The configuration in which every upstream that led to a port of the port map has one server for each listener
/// instead; `None` if nothing has to be changed.
pub(crate) fn corrected(text: &str, wanted: &Wanted<'_>) -> Option<String> {
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for (name, servers) in upstreams(text) {
        edits.extend(edits_of(&name, &servers, wanted));
    }
    if edits.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (span, by) in edits {
        out.push_str(&text[at..span.start]);
        out.push_str(&by);
        at = span.end;
    }
    out.push_str(&text[at..]);
    (out != text).then_some(out)
}

/// The changes to one upstream. The first server with a port of the port map is replaced by one server for each listener, with
/// the same parameters; further such servers are removed.
fn edits_of(name: &str, servers: &[Statement], wanted: &Wanted<'_>) -> Vec<(Range<usize>, String)> {
    let ports: Vec<(&Statement, u16)> =
        servers.iter().filter_map(|server| Some((server, port_of(server, wanted.host)?))).collect();
    let is_whole = wanted.listeners.iter().all(|port| ports.iter().any(|(_, is)| is == port));
    let is_meant = |port: u16| wanted.mapped.contains(&port) || name == format!("{}-{port}", wanted.app);
    if is_whole && ports.iter().all(|(_, port)| wanted.listeners.contains(port) || !is_meant(*port)) {
        return Vec::new();
    }
    let mut by = None;
    ports
        .iter()
        .filter(|(_, port)| is_meant(*port) || wanted.listeners.contains(port))
        .map(|(server, _)| {
            let text = if by.is_none() { all_listeners(server, wanted) } else { String::new() };
            by.get_or_insert(());
            (server.span.clone(), text)
        })
        .collect()
}

fn all_listeners(server: &Statement, wanted: &Wanted<'_>) -> String {
    let server_at = |port: &u16| {
        let mut words = server.words.clone();
        words[1] = format!("{}:{port}", wanted.host);
        words.join(" ") + ";"
    };
    wanted.listeners.iter().map(server_at).collect::<Vec<_>>().join("\n  ")
}

/// The port of the directive `server <host>:<port> …;`.
fn port_of(server: &Statement, host: &str) -> Option<u16> {
    server.words.get(1)?.strip_prefix(host)?.strip_prefix(':')?.parse().ok()
}

/// Every upstream with its name and its `server` directives, in the order of the text.
fn upstreams(text: &str) -> Vec<(String, Vec<Statement>)> {
    let mut found = Vec::new();
    let mut current: Option<(String, Vec<Statement>)> = None;
    // How many blocks are open at this place, and the depth of the block of the upstream.
    let (mut depth, mut inside) = (0_usize, 0_usize);
    for (statement, end) in statements(text) {
        match end {
            b'{' => {
                depth += 1;
                if let [word, name] = &statement.words[..]
                    && word == "upstream"
                    && current.is_none()
                {
                    current = Some((name.clone(), Vec::new()));
                    inside = depth;
                }
            }
            b'}' => {
                if depth == inside {
                    found.extend(current.take());
                }
                depth = depth.saturating_sub(1);
            }
            _ => {
                if let Some((_, servers)) = &mut current
                    && depth == inside
                    && statement.words.first().is_some_and(|word| word == "server")
                {
                    servers.push(statement);
                }
            }
        }
    }
    found
}

/// Every directive, with the `;`, `{` or `}` that ends it. Comments, quotes and `${…}` are read by nginx's rules.
fn statements(text: &str) -> Vec<(Statement, u8)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut begin = None;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'#' => {
                at = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| at + end);
            }
            b';' | b'{' | b'}' => {
                let span = begin.take().unwrap_or(at)..at + 1;
                found.push((Statement { words: std::mem::take(&mut words), span }, byte));
                at += 1;
            }
            byte if byte.is_ascii_whitespace() => at += 1,
            _ => {
                let end = end_of_word(bytes, at);
                begin.get_or_insert(at);
                words.push(text.get(at..end).unwrap_or_default().to_owned());
                at = end;
            }
        }
    }
    found
}

fn end_of_word(bytes: &[u8], begin: usize) -> usize {
    let quote = Some(bytes[begin]).filter(|byte| matches!(byte, b'"' | b'\''));
    let mut at = begin + usize::from(quote.is_some());
    while let Some(&byte) = bytes.get(at) {
        match (byte, quote) {
            (b'\\', _) => at += 1,
            (byte, Some(quote)) if byte == quote => return at + 1,
            (b'$', None) if bytes.get(at + 1) == Some(&b'{') => {
                at = bytes[at..].iter().position(|byte| *byte == b'}').map_or(bytes.len(), |end| at + end);
            }
            (b';' | b'{' | b'}', None) => return at,
            (byte, None) if byte.is_ascii_whitespace() => return at,
            (_, Some(_) | None) => (),
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTENERS: [u16; 3] = [5000, 5001, 20_007];

    fn corrected_with(text: &str, listeners: &[u16], mapped: &[u16]) -> Option<String> {
        corrected(text, &Wanted { app: "demo", host: "127.0.0.1", listeners, mapped })
    }

    #[test]
    fn each_listener_is_a_server_with_its_own_port() {
        let before = "server { location / { proxy_pass http://demo-3000; } }\nupstream demo-3000 {\n  keepalive 8;\n\n  \
                      server 127.0.0.1:3000;\n  server 127.0.0.1:3000;\n  server 127.0.0.1:3000;\n}\n";
        let after = corrected_with(before, &LISTENERS, &[3000]).expect("a change");
        let servers = "server 127.0.0.1:5000;\n  server 127.0.0.1:5001;\n  server 127.0.0.1:20007;\n";
        assert!(after.contains(servers) && !after.contains(":3000;\n"), "{after}");
        assert!(after.starts_with("server { location / { proxy_pass http://demo-3000; } }"), "{after}");
        assert_eq!(corrected_with(&after, &LISTENERS, &[3000]), None, "what is right stays as it is");
        let one = corrected_with(before, &[20_001], &[]).expect("the name of the upstream tells, too");
        assert_eq!(one.matches("server 127").count(), 1, "{one}");
    }

    #[test]
    fn a_mapped_port_that_one_of_several_listeners_has_is_all_of_them() {
        let before = "upstream demo-5000 { server 127.0.0.1:5000; server 127.0.0.1:5000; }";
        let after = corrected_with(before, &[5000, 5001], &[5000]).expect("a change");
        assert_eq!(after.matches("server 127.0.0.1:5000;").count(), 1, "{after}");
        assert_eq!(after.matches("server 127.0.0.1:5001;").count(), 1, "{after}");
    }

    #[test]
    fn parameters_stay_and_other_servers_are_nobodys_business() {
        let before = "upstream u{server 127.0.0.1:5000 max_fails=3 weight=2; server 127.0.0.1:9999 backup;\n\
                      server 10.0.0.7:5000; server unix:/run/x;}\nupstream other { server 127.0.0.1:9000; }";
        let after = corrected_with(before, &[20_001, 20_002], &[5000]).expect("a change");
        let expected = "upstream u{server 127.0.0.1:20001 max_fails=3 weight=2;\n  server 127.0.0.1:20002 max_fails=3 \
                        weight=2; server 127.0.0.1:9999 backup;\nserver 10.0.0.7:5000; server unix:/run/x;}\nupstream \
                        other { server 127.0.0.1:9000; }";
        assert_eq!(after, expected);
    }

    #[test]
    fn comments_quotes_and_variables_are_no_directives() {
        let text = "# upstream demo-5000 { server 127.0.0.1:5000; }\nlog_format x '{ server 127.0.0.1:5000; }';\n\
                    set $a \"upstream demo-5000 { \\\" \"; set ${b} c; server { server_name 127.0.0.1:5000; }\n}}{;\\";
        assert_eq!(corrected_with(text, &[20_001], &[5000]), None);
        assert_eq!(corrected_with("upstream demo-5000 { server 127.0.0.1:5000", &[20_001], &[5000]), None);
        assert_eq!(corrected_with("", &[20_001], &[5000]), None);
    }
}
