//! The file `CHECKS`, in which Dokku had the checks of `web` before app.json could contain any. It has settings (`WAIT=5`), and a
//! line for each page that must be answered: a path or `//host/path`, and the text that the answer must contain. It is converted
//! into `healthchecks` of an app.json, as Dokku itself does.

use serde_json::{Map, Value, json};

use crate::healthcheck::OF_A_FILE;
use crate::{AppJson, Error, document};

/// An app.json with the checks of a file `CHECKS` added; `None` if the file has no effect, because it has no checks, or because
/// app.json has checks of its own.
///
/// # Errors
/// A line is not valid; the error names its number.
pub fn with_checks_file(app_json: Option<&[u8]>, file: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let own = app_json.unwrap_or_default();
    // An app.json that cannot be parsed counts as one without checks here. The caller reports the error when it parses it.
    let has_none = AppJson::parse(own).is_ok_and(|own| own.checked_types().next().is_none());
    if !has_none {
        return Ok(None);
    }
    let checks = checks(procfile::text(file)?)?;
    if checks.is_empty() {
        return Ok(None);
    }
    let added = json!({ "web": checks });
    let text = procfile::text(own)?;
    let Some(place) = document::beginning_of_object(text)? else {
        return Ok(Some(json!({ "healthchecks": added }).to_string().into_bytes()));
    };
    let (before, after) = text.split_at(place);
    let comma = if document::is_empty_object(text)? { "" } else { "," };
    Ok(Some(format!("{before}\"healthchecks\": {added}{comma}{after}").into_bytes()))
}

fn checks(text: &str) -> Result<Vec<Value>, Error> {
    let mut settings = Map::new();
    let mut checks = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match setting(line) {
            Some((key, Some(seconds))) => drop(settings.insert(key.to_owned(), seconds.into())),
            Some((_, None)) => return Err(refuse(number, "a whole number is wanted behind =")),
            None => checks.push(check(number, line)?),
        }
    }
    for check in &mut checks {
        let settings = settings.clone();
        check.as_object_mut().into_iter().for_each(|check| check.extend(settings.clone()));
    }
    Ok(checks)
}

/// A setting of all checks: its key in app.json, and its value if that is a number.
fn setting(line: &str) -> Option<(&'static str, Option<i64>)> {
    let (name, value) = line.split_once('=')?;
    let key = match name.trim() {
        "WAIT" => "wait",
        "TIMEOUT" => "timeout",
        "ATTEMPTS" => "attempts",
        _ => return None,
    };
    Some((key, value.trim().parse().ok()))
}

/// Reads a path or an address, and after it the text that the answer must contain.
fn check(number: usize, line: &str) -> Result<Value, Error> {
    let (page, content) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let secure = page.strip_prefix("https://");
    let address = secure.or_else(|| page.strip_prefix("http://")).or_else(|| page.strip_prefix("//"));
    let (host, path) = match address {
        Some(address) => {
            let end = address.find('/').unwrap_or(address.len());
            (Some(&address[..end]), Some(&address[end..]).filter(|path| !path.is_empty()).unwrap_or("/"))
        }
        None if page.starts_with('/') => (None, page),
        None => {
            return Err(refuse(number, "a path that begins with /, //host/path, or NAME=value is wanted"));
        }
    };
    let mut check = json!({"type": "startup", "name": format!("{OF_A_FILE}{number}"), "path": path});
    if secure.is_some() {
        check["scheme"] = "https".into();
    }
    if !content.trim().is_empty() {
        check["content"] = content.trim().into();
    }
    if let Some(host) = host {
        check["httpHeaders"] = json!([{"name": "Host", "value": host}]);
    }
    Ok(check)
}

fn refuse(number: usize, why: &str) -> Error {
    Error::Name { place: format!("line {number}"), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"# how long\nWAIT=2\nTIMEOUT = 7\nATTEMPTS=9\n\n/  My Amazing App\n//admin.test/up\thello \"you\"\n/plain\nhttps://pay.test\n";

    fn converted(app_json: Option<&str>) -> Option<AppJson> {
        let converted = with_checks_file(app_json.map(str::as_bytes), FILE).expect("it is converted");
        converted.map(|bytes| AppJson::parse(&bytes).expect("it is an app.json"))
    }

    #[test]
    fn each_line_becomes_a_startup_check_of_web_with_the_settings_of_the_file() {
        for app_json in [
            None,
            Some(""),
            Some("{}"),
            Some("// none\n{ // yet\n \"name\": \"x\",\n}"),
            Some("{\"cron\": []}"),
        ] {
            let app_json = converted(app_json).expect("the file counts");
            let checks: Vec<_> = app_json.checks("web").map(|(_, check)| check).collect();
            let asked: Vec<_> = checks.iter().map(|check| (check.path(), check.content())).collect();
            assert_eq!(
                asked,
                [
                    (Some("/"), "My Amazing App"),
                    (Some("/up"), "hello \"you\""),
                    (Some("/plain"), ""),
                    (Some("/"), "")
                ]
            );
            assert_eq!(
                checks.iter().map(|check| check.is_https()).collect::<Vec<_>>(),
                [false, false, false, true]
            );
            assert_eq!(checks[3].headers(), [("Host".to_owned(), "pay.test".to_owned())]);
            assert_eq!(checks[1].headers(), [("Host".to_owned(), "admin.test".to_owned())]);
            let numbers = (checks[2].attempts(), checks[2].timeout().as_secs(), checks[2].wait().as_secs());
            assert_eq!(numbers, (9, 7, 2));
            assert!(
                app_json.has_checks_of_a_file() && app_json.remarks().is_empty(),
                "{:?}",
                app_json.remarks()
            );
        }
    }

    #[test]
    fn app_json_wins_and_a_file_without_checks_says_nothing() {
        assert!(converted(Some(r#"{"healthchecks": {"web": [{"type": "liveness"}]}}"#)).is_none());
        assert_eq!(with_checks_file(None, b"# nothing\nWAIT=5\n"), Ok(None));
        for (bad, line) in [("WAIT=soon\n", 1), ("/ok\nadmin.test\n", 2)] {
            let said = with_checks_file(None, bad.as_bytes()).expect_err("it makes no sense").to_string();
            assert!(said.starts_with(&format!("line {line}: ")), "{said}");
        }
    }
}
