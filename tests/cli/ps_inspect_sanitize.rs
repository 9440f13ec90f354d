//! `ps-inspect-sanitize` as a shell sees it: streams, exit statuses, and that nothing comes out when anything is wrong.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

#[path = "ps_inspect_sanitize/names.rs"]
mod names;

/// No run may take longer, whatever it is given.
const DEADLINE: Duration = Duration::from_secs(20);

/// A container with a secret in every kind of place that Dokku's own filter leaves in clear. None looks like a name, so
/// that it is masked wherever a change of the document moves it.
const CONTAINER: &str = r#"[{"Id":"50f05446ea111d1c1f2ba4c18cc9cc62f28a98a517cc9965c65a8072dc9bbda8","Name":"/demo.web.1",
"Path":"sh","Args":["-c","exec server --password s3cr3t!args"],"State":{"Status":"running","ExitCode":0,
"Health":{"Status":"healthy","Log":[{"Output":"s3cr3t!health","ExitCode":0}]}},
"HostConfig":{"LogConfig":{"Type":"gelf","Config":{"tag":"s3cr3t!option"}},"RestartPolicy":{"Name":"on-failure"}},
"Config":{"Image":"dokku/demo:latest","Env":["PATH=/usr/bin:/bin","PORT=5000","DOKKU_TOKEN=s3cr3t!env","DOCKER_X=s3cr3t!dkr",
"DATABASE_URL=postgres://app:s3cr3t!url@db:5432/app"],"Labels":{"com.dokku.app-name":"demo","traefik.auth":"s3cr3t!label"},
"Healthcheck":{"Test":["CMD-SHELL","curl -u a:s3cr3t!check localhost"]}}}]"#;

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ps-inspect-sanitize"));
    command
        .args(args)
        .env_remove("PLUGIN_PATH")
        .env_remove("DOKKU_SYSTEM_USER")
        .env_remove("DOKKU_QUIET_OUTPUT");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the program with this input; it must end before the deadline.
fn run(args: &[&str], input: impl AsRef<[u8]>) -> Output {
    let started = Instant::now();
    let mut child = program(args).spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("its input is a pipe");
    let input = input.as_ref().to_owned();
    // A program that refuses early closes the pipe: that is its right.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("the writer ends");
    assert!(started.elapsed() < DEADLINE, "it took {:?}", started.elapsed());
    output
}

fn stdout(args: &[&str], input: impl AsRef<[u8]>) -> String {
    let output = run(args, input);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the output is UTF-8")
}

fn refuses(args: &[&str], input: impl AsRef<[u8]>, words: &str) {
    let output = run(args, input);
    let stderr = String::from_utf8(output.stderr).expect("talk is UTF-8");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "{stderr}");
    assert!(stderr.starts_with("ps-inspect-sanitize: ") && stderr.contains(words), "{stderr}");
    assert!(!stderr.contains("s3cr3t"), "{stderr}");
}

#[test]
fn secrets_go_and_what_a_helper_needs_stays() {
    let text = stdout(&[], CONTAINER);
    assert!(!text.contains("s3cr3t"), "{text}");
    for kept in [
        "running",
        "healthy",
        "on-failure",
        "dokku/demo:latest",
        "/demo.web.1",
        "PORT=5000",
        "DOKKU_TOKEN=",
        "gelf",
    ] {
        assert!(text.contains(kept), "{kept} is missing in {text}");
    }
}

#[test]
fn urls_keep_their_shape_and_equal_values_their_number() {
    let text =
        stdout(&[], r#"[{"Config":{"Env":["A=redis://:same-pw@cache:6379/0","B=same-pw","C=other"]}}]"#);
    assert!(text.contains(r#""A=redis://:[redacted:url-password:1]@cache:6379/0""#), "{text}");
    assert!(text.contains(r#""B=[redacted:env:1]""#) && text.contains(r#""C=[redacted:env:2]""#), "{text}");
}

#[test]
fn what_is_masked_in_one_place_is_masked_in_every_other() {
    let text = stdout(&[], r#"[{"Name":"/web-hunter2x","Config":{"Env":["PASSWORD=hunter2x"]}}]"#);
    assert!(text.contains("[redacted:tainted:") && !text.contains("hunter2x"), "{text}");
}

#[test]
fn compat_dokku_masks_the_same_in_dokkus_form() {
    let text = stdout(&["--compat", "dokku"], CONTAINER);
    assert!(text.starts_with("[\n    {\n        \"Args\": ["), "{text}");
    assert!(
        text.contains("\"DATABASE_URL=XXXXXX\"") && text.contains("\"traefik.auth\": \"XXXXXX\""),
        "{text}"
    );
    assert!(!text.contains("redacted") && !text.contains("s3cr3t"), "{text}");
    assert_eq!(stdout(&["--compat", "dokku"], ""), "[]\n");
    assert_eq!(stdout(&["--compat", "dokku"], "[]\n"), "[]\n");
}

#[test]
fn no_correlate_prints_nothing_that_could_be_compared() {
    let text = stdout(&["--no-correlate"], CONTAINER);
    assert!(text.contains("DOKKU_TOKEN=[redacted]") && !text.contains("[redacted:"), "{text}");
}

#[test]
fn hidden_names_are_gone_everywhere() {
    let input = r#"[{"Name":"/acme-shop","Config":{"Image":"acme-shop:1","Hostname":"acme-shop","Labels":{"com.dokku.app-name":"acme-shop"}}}]"#;
    assert!(stdout(&[], input).contains("/acme-shop"));
    assert!(!stdout(&["--hide-names"], input).contains("acme-shop"));
}

#[test]
fn shown_commands_still_hide_what_their_flags_give_away() {
    let input = r#"[{"Path":"server","Args":["--bind","somewhere","--password","s3cr3t","mode=fast","API_KEY=s3cr3t"]}]"#;
    assert!(!stdout(&[], input).contains("somewhere"));
    let text = stdout(&["--show-commands"], input);
    assert!(text.contains("somewhere") && text.contains("mode=fast") && !text.contains("s3cr3t"), "{text}");
}

#[test]
fn personal_data_is_masked_on_request() {
    let input = r#"[{"NetworkSettings":{"Gateway":"8.8.8.8","IPAddress":"172.17.0.2"}}]"#;
    assert!(stdout(&[], input).contains("8.8.8.8"));
    let text = stdout(&["--pii"], input);
    assert!(!text.contains("8.8.8.8") && text.contains("172.17.0.2"), "{text}");
}

#[test]
fn explain_says_where_and_why_and_never_what() {
    let output = run(&["--explain"], CONTAINER);
    let stderr = String::from_utf8(output.stderr).expect("talk is UTF-8");
    assert!(
        stderr.contains("[0].Config.Env[2]: env: ") && stderr.contains("[0].State.Health.Log[0].Output: "),
        "{stderr}"
    );
    assert!(stderr.ends_with("review before posting\n") && !stderr.contains("s3cr3t"), "{stderr}");
}

#[test]
fn check_prints_nothing_and_says_no_where_something_would_be_masked() {
    refuses(&["--check"], CONTAINER, "not fit to be published");
    let clean = stdout(&[], CONTAINER);
    let output = run(&["--check"], clean);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
}

#[test]
fn json_lines_come_out_as_they_came_in() {
    let lines = "{\"Name\":\"/a\"}\n{\"Name\":\"/b\"}\n";
    assert_eq!(stdout(&[], lines), lines);
    assert_eq!(stdout(&["--format", "jsonl"], r#"[{"Name":"/a"},{"Name":"/b"}]"#), lines);
    assert!(stdout(&["--format", "json"], lines).starts_with("[\n    {\n        \"Name\": \"/a\""));
}

#[test]
fn a_second_run_changes_nothing() {
    for args in
        [&[][..], &["--compat", "dokku"], &["--no-correlate"], &["--show-commands"], &["--hide-names"]]
    {
        let once = stdout(args, CONTAINER);
        assert_eq!(stdout(args, &once), once, "{args:?}");
    }
}

#[test]
fn broken_input_leaves_stdout_empty() {
    refuses(&[], "", "no JSON in the input");
    refuses(&[], &CONTAINER[..CONTAINER.len() - 1], "it ends too early");
    refuses(&[], format!("{CONTAINER} s3cr3t"), "not JSON at byte");
    refuses(&[], "\"s3cr3t\"", "neither an array nor an object");
    refuses(&[], b"[{\"Name\":\"s3cr3t\xff\"}]", "not UTF-8 at byte 16");
    refuses(&[], "[".repeat(1_000_000), "nested deeper than 128");
    refuses(&["--max-bytes", "100"], CONTAINER, "larger than 100 bytes");
    refuses(&["/nonexistent/s.json"], "", "read /nonexistent/s.json");
}

#[test]
fn every_occurrence_of_a_key_is_treated_and_numbers_stay_as_written() {
    let text = stdout(
        &[],
        r#"[{"Config":{"Env":["A=s3cr3t"]},"Config":{"Env":["B=s3cr3t"]},"Pid":1.50e3,"X":18446744073709551616}]"#,
    );
    assert!(text.contains("A=[") && text.contains("B=[") && !text.contains("s3cr3t"), "{text}");
    assert!(text.contains("1.50e3") && text.contains("18446744073709551616"), "{text}");
}

#[test]
fn hostile_text_is_masked_or_escaped_and_never_raw() {
    let text = stdout(
        &[],
        "[{\"Name\":\"a\\u001b[31m\",\"Config\":{\"Labels\":{\"\\u202eevil\":\"x\",\"\\ud800\":\"y\"}}}]",
    );
    assert!(text.is_ascii() && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn wrong_usage_is_two_and_names_the_flag() {
    let output = run(&["--nonsense"], "");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--nonsense"));
}

#[test]
fn a_full_disk_is_a_failure() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full is there");
    let mut child = program(&[]).stdout(full).spawn().expect("the program starts");
    child
        .stdin
        .take()
        .expect("its input is a pipe")
        .write_all(CONTAINER.as_bytes())
        .expect("it reads its input");
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
}

#[test]
fn a_pipe_that_says_nothing_is_given_up_and_nothing_is_printed() {
    let started = Instant::now();
    let mut child = program(&[]).spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("its input is a pipe");
    stdin.write_all(&CONTAINER.as_bytes()[..200]).expect("it reads its input");
    let output = child.wait_with_output().expect("it ends");
    drop(stdin);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert!(
        started.elapsed() < DEADLINE && String::from_utf8_lossy(&output.stderr).contains("nothing came for")
    );
}

/// A change of the container, always the same for the same number.
fn mutated(number: usize) -> Vec<u8> {
    let mut bytes = CONTAINER.as_bytes().to_vec();
    let at = number * 7919 % bytes.len();
    match number % 4 {
        0 => bytes.truncate(at),
        1 => bytes[at] ^= 1 << (number % 7),
        2 => drop(bytes.drain(at..(at + 20).min(CONTAINER.len()))),
        _ => bytes.insert(at, b"{}[]\",:\\"[number % 8]),
    }
    bytes
}

#[test]
fn changed_input_gives_nothing_or_a_document_without_the_secrets() {
    let long = std::env::var_os("FORMATION_TEST_LONG").is_some_and(|value| value == "1");
    // Strings whose place was lost in the change stand at one that no row knows: they are masked there as well.
    for number in 0..if long { 1_000 } else { 60 } {
        let output = run(&[], mutated(number));
        let (text, talk) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() || text.is_empty(), "{number}: {text}");
        assert!(!text.contains("s3cr3t") && !talk.contains("s3cr3t"), "{number}: {text}{talk}");
        assert!(!talk.contains("panicked"), "{number}: {talk}");
    }
}

#[test]
fn compat_dokku_is_what_dokku_printed_but_for_what_is_masked() {
    let Some(recorded) = skipped::corpus("contracts/dokku-recorded") else { return };
    let raw = std::fs::read(recorded.join("inspect-raw.json")).expect("a recording can be read");
    let dokku =
        std::fs::read_to_string(recorded.join("inspect-dokku.json")).expect("a recording can be read");
    let ours = stdout(&["--compat", "dokku"], raw);
    assert_eq!(ours.lines().count(), dokku.lines().count());
    for (ours, dokkus) in ours.lines().zip(dokku.lines()) {
        let before = |line: &str| line.split("XXXXXX").next().unwrap_or_default().to_owned();
        assert!(
            ours == dokkus || (ours.contains("XXXXXX") && dokkus.starts_with(&before(ours))),
            "{ours} is not {dokkus}"
        );
    }
}

#[test]
fn no_core_is_dumped() {
    let mut child = program(&[]).spawn().expect("the program starts");
    let limits = format!("/proc/{}/limits", child.id());
    let started = Instant::now();
    let core = loop {
        let text = std::fs::read_to_string(&limits).unwrap_or_default();
        let line =
            text.lines().find(|line| line.starts_with("Max core file size")).unwrap_or_default().to_owned();
        if line.split_whitespace().filter(|word| *word == "0").count() == 2 {
            break line;
        }
        assert!(started.elapsed() < DEADLINE, "{line}");
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(core.contains("bytes"), "{core}");
    drop(child.stdin.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let many = format!("[{}]", vec!["{\"Name\":\"/a\"}"; 20_000].join(","));
    let mut child = program(&[]).spawn().expect("the program starts");
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().expect("its input is a pipe");
    stdin.write_all(many.as_bytes()).expect("it reads its input");
    drop(stdin);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}
