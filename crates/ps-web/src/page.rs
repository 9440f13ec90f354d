//! `/`: the page. It is sent complete, so that it can be read without JavaScript; its script then keeps it up to date.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};
use formation::AppName;
use jiff::Timestamp;
use ps_rows::StatusRow;

use crate::server::Server;
use crate::snapshot::{Snapshot, key};

const PAGE: &str = include_str!("../assets/page.html");
/// The page at which a user without a session enters the token.
pub(crate) const LOGIN: &str = include_str!("../assets/login.html");
/// The placeholders in the page.
const PARTS: [&str; 5] = ["{{id}}", "{{writes}}", "{{at}}", "{{silent}}", "{{apps}}"];

pub(crate) async fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("../assets/page.css"))
}

pub(crate) async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("../assets/page.js"))
}

pub(crate) async fn icon() -> Response {
    file("image/svg+xml", include_str!("../assets/icon.svg"))
}

/// Answers with a file that is part of the program.
fn file(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, kind)], text).into_response()
}

pub(crate) async fn page(State(server): State<Arc<Server>>) -> Html<String> {
    let snapshot = server.collector.for_a_page().await;
    let id = server.ring.id(snapshot.number);
    let writes = if server.guard.allows_writes { "yes" } else { "no" };
    let at = snapshot.at.strftime("%H:%M:%S UTC").to_string();
    Html(filled(&[&id, writes, &at, &silent(&snapshot), &apps(&snapshot)]))
}

/// The page with its parts. A placeholder inside a part is not replaced.
fn filled(parts: &[&str; PARTS.len()]) -> String {
    let mut page = String::new();
    let mut rest = PAGE;
    for (place, part) in PARTS.into_iter().zip(parts) {
        let (before, after) =
            rest.split_once(place).expect("the page has a place for each part, in this order");
        page.push_str(before);
        page.push_str(part);
        rest = after;
    }
    page.push_str(rest);
    page
}

fn silent(snapshot: &Snapshot) -> String {
    let line = |silence: &crate::snapshot::Silence| {
        format!("<li>{}</li>", escaped(&format!("{}: {}", silence.apps.join(", "), silence.reason)))
    };
    snapshot.silent.iter().map(line).collect()
}

fn apps(snapshot: &Snapshot) -> String {
    let now = Timestamp::now();
    let mut out = String::new();
    for (app, rows) in &snapshot.apps {
        // Writing to a String cannot fail.
        let _ = section(&mut out, app, rows, now);
    }
    out
}

fn section(out: &mut String, app: &AppName, rows: &[StatusRow], now: Timestamp) -> std::fmt::Result {
    let listen: Vec<&str> = rows.iter().flat_map(|row| &row.listen).map(String::as_str).take(1).collect();
    write!(
        out,
        "<section class=app data-app=\"{name}\"><h2>{name} <small>{listen}</small></h2><table><thead><tr><th>Process<th>State\
         <th>Since<th class=number>Memory<th class=number>CPU<th class=\"number wide\">Restarts<th class=wide>Last exit\
         <th class=\"number wide\">Port<th class=\"number wide\">PID<th class=\"number wide\">Release</tr></thead><tbody>",
        name = escaped(app.as_str()),
        listen = escaped(&listen.concat()),
    )?;
    rows.iter().try_for_each(|each| row(out, each, now))?;
    out.push_str("</tbody></table></section>\n");
    Ok(())
}

fn row(out: &mut String, row: &StatusRow, now: Timestamp) -> std::fmt::Result {
    let role = row
        .compared
        .or(row.role)
        .filter(|role| *role != "current")
        .map(|role| format!(" {role}"))
        .unwrap_or_default();
    let since = row.since.as_deref().unwrap_or_default();
    let age = since.parse().map_or_else(|_| "-".to_owned(), |since| ps_output::age(since, now));
    let memory = row.memory_bytes.map(|bytes| format!("{} MiB", bytes >> 20));
    let cpu = row.cpu_percent.map(|percent| format!("{percent} %"));
    write!(
        out,
        "<tr data-key=\"{key}\"><td><button type=button class=open>{process}.{index}</button>{role}<td class=\"state {state}\">{state}\
         <td><time datetime=\"{since}\">{age}</time><td class=number>{memory}<td class=number>{cpu}<td class=\"number wide\" title=\"{reasons}\">{restarts}\
         <td class=wide>{exit}<td class=\"number wide\">{port}<td class=\"number wide\">{pid}<td class=\"number wide\">{release}</tr>",
        key = escaped(&key(row)),
        process = escaped(&row.process_type),
        index = row.index,
        state = row.state,
        since = escaped(since),
        memory = or_dash(memory),
        cpu = or_dash(cpu),
        restarts = or_dash(row.restarts),
        reasons = row.restarts_by_reason.map_or_else(String::new, |counted| counted.0.to_string()),
        exit = or_dash(row.last_exit),
        port = or_dash(row.port),
        pid = or_dash(row.pid),
        release = or_dash(row.release),
    )?;
    if let Some(note) = &row.note {
        write!(out, "<tr class=note><td colspan=10>{}</tr>", escaped(note))?;
    }
    Ok(())
}

fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Escapes text for HTML, between tags and inside quoted attributes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // A browser would interpret or remove control characters.
            char if char.is_control() && char != '\n' && char != '\t' => out.push('\u{fffd}'),
            char => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use formation::State;
    use ps_scheduler::Instance;

    use super::*;
    use crate::snapshot::Silence;

    const SCRIPT: &str = "</td><script>alert(\"1\")</script>'{{apps}}\u{0}";

    #[test]
    fn what_others_wrote_is_text() {
        let instance = Instance {
            note: Some(SCRIPT.to_owned()),
            ..Instance::new("web.1".parse().expect("a slot"), State::Crashed)
        };
        let row = StatusRow {
            process_type: SCRIPT.to_owned(),
            since: Some(SCRIPT.to_owned()),
            ..StatusRow::of("native", "shop", instance)
        };
        let snapshot = Snapshot {
            apps: [("shop".parse().expect("a name"), Arc::new(vec![row]))].into(),
            silent: vec![Silence::of(vec![SCRIPT.to_owned()], SCRIPT.to_owned())],
            ..Snapshot::empty()
        };
        let page = filled(&["1", "no", "14:03:07 UTC", &silent(&snapshot), &apps(&snapshot)]);
        let own = PAGE.matches("<script").count();
        assert_eq!((page.matches("<script").count(), page.contains("alert(\"")), (own, false));
        assert_eq!(page.matches("{{apps}}").count(), 6, "what is filled in is not filled again");
        assert!(!page.contains('\u{0}'));
    }
}
