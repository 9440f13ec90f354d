//! What ends by itself, or is ended: its exit and what it wrote say why.

use std::net::TcpListener;

use crate::home::{Home, eventually};
use crate::world::{breakable, broken, comes_to, is_explained, kill, lacks};

/// What a shell, or Python, does and writes, and the cause that it is.
fn is_of_output(script: &str, cause: &str) {
    let home = broken(script);
    let row = is_explained(&home, &["shop"], cause);
    assert_eq!((&row["instance"], &row["state"]), (&"web.1".into(), &"crashed".into()), "{row:#}");
    let output = &row["reasons"][0]["evidence"][0];
    assert!(output["file"].is_string() && output["offset"].is_u64(), "the line is found again: {row:#}");
    let given_up =
        row["reasons"].as_array().expect("a list").iter().any(|reason| reason["cause"] == "restart-count");
    assert!(given_up, "{row:#}");
}

fn is_of_python(script: &str, cause: &str) {
    if !lacks("python3") {
        is_of_output(&format!("exec python3 -c '{script}'"), cause);
    }
}

#[test]
fn a_port_that_is_taken_is_named_with_who_listens_there() {
    if lacks("python3") {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let script = format!(
        "import socket, sys\ntry: socket.create_server((\"127.0.0.1\", {port}))\nexcept OSError: sys.exit(\"address already in use: port {port}\")"
    );
    let home = broken(&format!("exec python3 -c '{script}'"));
    let row = is_explained(&home, &["shop"], "port-taken");
    let says = row["reasons"][0]["says"].as_str().expect("text");
    assert!(says.contains(&format!("listens on port {port}")) && says.contains("pid"), "{says}");
}

#[test]
fn a_module_that_is_not_installed() {
    is_of_python("import no_such_module", "module-missing");
}

#[test]
fn a_disk_that_is_full() {
    is_of_output("exec dd if=/dev/zero of=/dev/full bs=1 count=1", "disk-full");
}

#[test]
fn too_many_open_files() {
    if !lacks("python3") {
        is_of_output(
            "ulimit -n 24; exec python3 -c 'import os; files = [os.dup(0) for _ in range(99)]'",
            "too-many-open-files",
        );
    }
}

#[test]
fn no_more_threads() {
    if !lacks("python3") {
        let script = "import threading, time\nthreading.stack_size(1 << 28)\nfor _ in range(999): threading.Thread(target=time.sleep, args=(9,), daemon=True).start()";
        is_of_output(&format!("ulimit -v 2000000; exec python3 -c '{script}'"), "process-limit");
    }
}

#[test]
fn memory_that_its_runtime_did_not_get_is_no_kill_by_the_kernel() {
    if !lacks("python3") {
        is_of_output("ulimit -v 400000; exec python3 -c 'bytearray(10 ** 10)'", "heap-exhausted");
    }
}

#[test]
fn a_variable_that_is_not_set() {
    is_of_python("import os; os.environ[\"DATABASE_URL\"]", "variable-missing");
}

#[test]
fn something_that_does_not_answer() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
    is_of_python(
        &format!("import socket; socket.create_connection((\"127.0.0.1\", {port}))"),
        "dependency-unreachable",
    );
}

#[test]
fn a_name_that_leads_nowhere() {
    is_of_python("import socket; socket.getaddrinfo(\"no-such-host.invalid\", 80)", "name-unresolved");
}

#[test]
fn a_program_with_an_error_in_its_text() {
    is_of_python("def", "syntax-error");
}

#[test]
fn a_file_that_is_not_there() {
    is_of_output("exec cat no-such-file.conf", "file-missing");
}

#[test]
fn a_file_that_may_not_be_executed() {
    let home = breakable("on-failure:2");
    home.write("shop/tool", "#!/bin/sh\n");
    home.write("shop/bad", "exec ./tool");
    kill(&home);
    comes_to(&home, "crashed");
    is_explained(&home, &["shop"], "permission-denied");
}

#[test]
fn an_error_that_the_program_does_not_handle() {
    is_of_python("1 / 0", "exception");
}

#[test]
fn a_program_that_is_not_installed() {
    let home = broken("exec no-such-program-here");
    is_explained(&home, &["shop"], "program-missing");
}

#[test]
fn an_exit_status_of_which_nothing_more_is_known() {
    let home = broken("echo it is over >&2; exit 3");
    let row = is_explained(&home, &["shop", "web.1"], "exit-status");
    let says = row["reasons"][0]["says"].as_str().unwrap_or_default();
    assert!(says.contains("exit status 3") && says.ends_with("as it wrote: \"it is over\""), "{row:#}");
    let is_repeated =
        row["reasons"].as_array().expect("a list").iter().any(|one| one["cause"] == "last-line");
    assert!(!is_repeated, "what is quoted is not told twice: {row:#}");
}

#[test]
fn a_service_that_ends_with_success() {
    let home = breakable("always");
    home.write("shop/bad", "exit 0");
    kill(&home);
    eventually("it ends over and over", || {
        let row = home.status("shop").remove(0);
        if row["last_exit"]["code"] == 0 { Ok(()) } else { Err(row.to_string()) }
    });
    is_explained(&home, &["shop"], "ends-by-itself");
}

#[test]
fn a_fault_of_its_own() {
    let home = broken("kill -SEGV $$");
    is_explained(&home, &["shop"], "fault");
}

#[test]
fn a_kill_from_outside_is_not_called_a_want_of_memory_and_nobody_is_blamed() {
    let home = breakable("on-failure:9");
    kill(&home);
    eventually("it runs again", || {
        let row = home.status("shop").remove(0);
        if row["state"] == "running" && row["restarts"] == 1 { Ok(()) } else { Err(row.to_string()) }
    });
    let row = is_explained(&home, &["shop"], "killed-from-outside");
    let says = row["reasons"][0]["says"].as_str().expect("text");
    assert!(says.contains("SIGKILL") && says.contains("from outside"), "{says}");
}

#[test]
fn a_signal_that_a_person_sent_by_a_verb_is_that_persons() {
    let home = breakable("on-failure:9");
    home.does(&["ps-lifecycle", "signal", "KILL", "shop"]);
    eventually("it runs again", || {
        let row = home.status("shop").remove(0);
        if row["state"] == "running" && row["restarts"] == 1 { Ok(()) } else { Err(row.to_string()) }
    });
    is_explained(&home, &["shop"], "killed-by-operator");
}

#[test]
fn a_kill_by_the_kernel_for_want_of_memory() {
    if lacks("python3") {
        return;
    }
    let home = breakable("on-failure:2");
    home.does(&["ps-set", "shop", "web.memory-max", "48m"]);
    home.does(&["ps-lifecycle", "restart", "shop"]);
    if home.status("shop")[0]["limits"]["lacking"].is_string() {
        skipped::skip("no cgroup of memory can be made here");
        return;
    }
    home.write("shop/bad", "exec python3 -c 'x = [b\"x\" * (1 << 20) for _ in range(999)]'");
    kill(&home);
    comes_to(&home, "crashed");
    let row = is_explained(&home, &["shop"], "out-of-memory");
    assert!(row["reasons"][0]["says"].as_str().is_some_and(|says| says.contains("48 MiB")), "{row:#}");
}

#[test]
fn a_directory_that_was_removed() {
    let home = breakable("on-failure:2");
    std::fs::remove_dir_all(home.path("shop")).expect("it is there");
    kill(&home);
    eventually("it is not started", || {
        let row = home.status("shop").remove(0);
        if row["state"] == "running" { Err(row.to_string()) } else { Ok(()) }
    });
    is_explained(&home, &["shop"], "directory-missing");
}

#[test]
fn a_program_that_was_removed_after_the_deploy() {
    let home = Home::new();
    let source = home.source("shop", "web: ./server\n");
    home.write(
        "shop/app.json",
        r#"{"formation": {"web": {"restart_policy": "on-failure:1", "restart_delay": "1ms"}}}"#,
    );
    std::os::unix::fs::symlink("/bin/sleep", home.path("shop/sleep")).expect("a link");
    home.source("shop", "web: ./sleep 600\n");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    std::fs::remove_file(home.path("shop/sleep")).expect("it is there");
    kill(&home);
    comes_to(&home, "crashed");
    is_explained(&home, &["shop"], "program-missing");
}

#[test]
fn an_env_file_that_no_process_can_be_given() {
    let home = breakable("on-failure:1");
    home.write("shop/.env", "A=b\0c\n");
    kill(&home);
    comes_to(&home, "crashed");
    is_explained(&home, &["shop"], "env-invalid");
}

#[test]
fn a_value_of_the_environment_is_not_told_although_the_app_prints_it() {
    const SECRET: &str = "quite-a-secret-word";
    let home = breakable("on-failure:1");
    home.write("shop/.env", &format!("WORD={SECRET}\n"));
    home.does(&["ps-lifecycle", "restart", "shop"]);
    home.write("shop/bad", "echo \"the word is $WORD\" >&2; exit 4");
    kill(&home);
    comes_to(&home, "crashed");
    let logged = home.does(&["ps-logs", "shop"]);
    assert!(logged.contains(SECRET), "the app printed it: {logged}");
    for words in [["ps-explain", "shop", "--json"].as_slice(), &["ps-explain", "shop"]] {
        let text = home.does(words);
        assert!(text.contains("the word is") && !text.contains(SECRET), "{text}");
    }
}

#[test]
fn a_line_that_tells_the_cause_is_quoted_once() {
    let home = broken("echo \"cat: /srv/missing.conf: No such file or directory\" >&2; exit 1");
    let text = home.does(&["ps-explain", "shop"]);
    assert_eq!(text.matches("missing.conf: No such file").count(), 1, "{text}");
    let home = broken("echo \"going home\"; exit 1");
    let text = home.does(&["ps-explain", "shop"]);
    assert_eq!(text.matches("going home").count(), 1, "{text}");
}

#[test]
fn what_it_wrote_before_it_was_started_anew_is_no_cause() {
    let home = breakable("no");
    let ends = |script: &str| {
        home.does(&["ps-scale", "shop", "web=0"]);
        home.write("shop/bad", script);
        // It ends before or after the verb has looked: both are right.
        home.run(&["ps-scale", "shop", "web=1"]);
        comes_to(&home, "crashed");
    };
    ends("echo 'Error: connect ECONNREFUSED 127.0.0.1:5432' >&2; exit 1");
    is_explained(&home, &["shop"], "dependency-unreachable");
    ends("echo 'the stock was counted' >&2; exit 3");
    let row = is_explained(&home, &["shop"], "exit-status");
    let says = row["reasons"][0]["says"].as_str().unwrap_or_default();
    assert!(says.contains("the stock was counted") && !says.contains("ECONNREFUSED"), "{row:#}");
}
