//! `ps-inspect-sanitize` as a shell sees it: what it masks and what it shows; in the other files what each flag changes, input that
//! is not as it should be, and streams.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

#[path = "ps_inspect_sanitize/input.rs"]
mod input;
#[path = "ps_inspect_sanitize/names.rs"]
mod names;
#[path = "ps_inspect_sanitize/options.rs"]
mod options;
#[path = "ps_inspect_sanitize/output.rs"]
mod output;

/// No run may take longer, whatever it is given.
const DEADLINE: Duration = Duration::from_secs(60);

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
