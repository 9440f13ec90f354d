//! The page in a real browser. With `FORMATION_PICTURES=DIR` the pictures for docs/web.md are left there.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::chromium::Browser;
use crate::home::Home;
use crate::served::{Served, TOKEN, shop};

/// Shows the token as a person does.
fn logs_in(browser: &mut Browser, served: &Served<'_>) {
    browser.goes_to(&format!("http://127.0.0.1:{}/", served.port()));
    browser.until("!!document.getElementById('token')");
    browser.finds(&format!("document.getElementById('token').value = '{TOKEN}'; document.forms[0].submit()"));
    browser.until("document.getElementById('live')?.textContent === 'live'");
    // That the first page was refused is what the browser has to say until here.
    let refused = browser.complaints();
    assert!(refused.iter().all(|complaint| complaint.contains("401")), "{refused:?}");
}

/// Whether a slot is shown in that state.
fn shown(slot: &str, state: &str) -> String {
    format!(
        "[...document.querySelectorAll('tr[data-key]')].some((row) => row.cells[0].textContent.startsWith('{slot}') \
         && row.cells[1].textContent === '{state}')"
    )
}

/// Has the page write down when it first shows something.
fn watches_for(browser: &mut Browser, what: &str) {
    browser.finds(&format!(
        "(() => {{ const is = () => {what}; window.seen = null; \
         const look = () => {{ if (window.seen === null && is()) window.seen = Date.now(); }}; \
         new MutationObserver(look).observe(document.getElementById('apps'), {{childList: true, subtree: true}}); look(); }})()"
    ));
}

fn seen(browser: &mut Browser) -> i64 {
    browser.until("window.seen !== null");
    browser.finds("window.seen").as_i64().expect("a time")
}

/// When the row came into this state, in milliseconds.
fn since(home: &Home, slot: &str) -> i64 {
    let rows = home.status("shop");
    let row = rows.iter().find(|row| crate::home::slot(row) == slot).expect("it is there");
    let since: jiff::Timestamp = row["since"].as_str().expect("text").parse().expect("a time");
    since.as_millisecond()
}

#[test]
fn a_scale_a_crash_and_a_deploy_are_seen_without_a_complaint() {
    let Some(mut browser) = Browser::begin() else { return };
    let home = shop();
    let served = Served::address(&home, &["--allow-writes"]);
    logs_in(&mut browser, &served);
    let mut took: Vec<(&str, i64)> = Vec::new();

    watches_for(&mut browser, &shown("web.3", "running"));
    home.does(&["ps-scale", "shop", "web=3"]);
    let seen_at = seen(&mut browser);
    took.push(("scale", seen_at - since(&home, "web.3")));

    let before = home.pids("shop")["web.1"];
    watches_for(
        &mut browser,
        "!document.body.innerHTML.includes('>OLD<')".replace("OLD", &before.to_string()).as_str(),
    );
    Command::new("kill").args(["-KILL", &before.to_string()]).status().expect("kill runs");
    let seen_at = seen(&mut browser);
    took.push(("crash", seen_at - since(&home, "web.1")));
    browser.until(&shown("web.1", "running"));

    let source = home.path("shop");
    watches_for(
        &mut browser,
        "[...document.querySelectorAll('tr[data-key]')].some((row) => row.cells[9].textContent > '1')",
    );
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", source.to_str().expect("text")]);
    let seen_at = seen(&mut browser);
    took.push(("deploy", seen_at - since(&home, "web.1")));

    figures(&took);
    assert_eq!(browser.complaints(), [""; 0]);
}

/// For who measures: what a busy machine makes of it decides nothing.
#[expect(clippy::print_stderr, reason = "a figure, shown with --nocapture")]
fn figures(took: &[(&str, i64)]) {
    eprintln!("milliseconds from what happens to the page: {took:?}");
}

#[test]
fn what_an_app_wrote_is_shown_as_text_and_an_order_is_carried_out() {
    let Some(mut browser) = Browser::begin() else { return };
    let home = shop();
    let served = Served::address(&home, &["--allow-writes"]);
    logs_in(&mut browser, &served);
    browser.finds("window.alert = () => { window.hacked = true; }; window.confirm = () => true");
    browser.finds("document.querySelector('[data-key^=\"shop/web.1\"] .open').click()");
    browser.until("document.querySelector('.detail pre')?.textContent.includes('<script>alert(1)</script>')");
    assert_eq!(
        browser.finds("[window.hacked ?? null, document.querySelectorAll('pre script').length]"),
        json!([null, 0])
    );
    browser.until("document.querySelectorAll('.graphs figure').length === 2");
    for (name, says) in [("Why", "is well"), ("Journal", "deploy")] {
        let click = "[...document.querySelectorAll('.acts button')].find((one) => one.textContent === 'NAME').click()";
        browser.finds(&click.replace("NAME", name));
        browser.until(&format!("document.querySelector('.detail pre').textContent.includes('{says}')"));
    }
    let before = home.pids("shop")["web.1"];
    browser.finds(
        "[...document.querySelectorAll('.acts button')].find((one) => one.textContent === 'Restart').click()",
    );
    browser.until("document.querySelector('.said').textContent.includes('web.1 is up')");
    assert_ne!(home.pids("shop")["web.1"], before);
    browser.finds("document.getElementById('filter').value = 'worker'; document.getElementById('filter').dispatchEvent(new Event('input'))");
    browser.until("[...document.querySelectorAll('tr[data-key]')].filter((row) => !row.hidden).length === 1");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn it_is_readable_on_a_phone_in_the_dark_and_without_its_script() {
    let Some(mut browser) = Browser::begin() else { return };
    let home = shop();
    let source = home.source("blog", "web: exec sleep 600\ncron: echo out of paper; exit 3\n");
    home.write("blog/app.json", r#"{"formation": {"cron": {"restart_policy": "on-failure:1"}}}"#);
    home.run(&["ps-lifecycle", "deploy", "blog", "--dir", &source, "--scale", "web=1"]);
    let served = Served::address(&home, &[]);
    logs_in(&mut browser, &served);
    browser.until(&shown("web.2", "running"));
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")] {
        browser.looks_like(width, scheme);
        let wide = browser.finds("document.documentElement.scrollWidth <= window.innerWidth");
        assert_eq!(wide, true, "{width}: it has to be moved sideways");
        let cut = "[...document.querySelectorAll('td')].filter((cell) => cell.checkVisibility() && cell.scrollWidth > cell.clientWidth + 1).map((cell) => cell.textContent)";
        assert_eq!(browser.finds(cut), json!([]), "{width}: cells are cut");
        let Some(directory) = std::env::var_os("FORMATION_PICTURES") else { continue };
        let name = format!("ps-web-{width}-{scheme}.png");
        std::fs::write(Path::new(&directory).join(name), browser.picture()).expect("a picture");
    }
    browser.says("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    browser.says("Page.reload", &json!({}));
    browser.until("document.readyState === 'complete' && document.getElementById('live').textContent.startsWith('as of')");
    assert_eq!(browser.finds(&shown("web.2", "running")), true);
    assert_eq!(browser.complaints(), [""; 0]);
}
