//! Real shell hooks in a temporary world: what plugn does with them, we do.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ps_apps::World;
use ps_triggers::{Error, Triggers};
use tempfile::TempDir;

struct Plugins {
    home: TempDir,
    world: World,
}

impl Plugins {
    fn new() -> Self {
        let home = TempDir::new().expect("a temporary directory");
        let world = World::new(home.path().join("home"), home.path().join("lib"));
        Self { home, world }
    }

    fn hook(&self, plugin: &str, trigger: &str, script: &str) -> PathBuf {
        let path = self.file(plugin, trigger, script);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("the hook is ours");
        path
    }

    fn file(&self, plugin: &str, trigger: &str, script: &str) -> PathBuf {
        let directory = self.home.path().join("lib/plugins/enabled").join(plugin);
        fs::create_dir_all(&directory).expect("a plugin directory");
        let path = directory.join(trigger);
        fs::write(&path, script).expect("a hook");
        path
    }

    fn triggers(&self) -> Triggers {
        Triggers::new(&self.world).with_captured_stderr()
    }

    fn answer(&self, arguments: &[&str]) -> Result<String, Error> {
        self.triggers().call("greet", arguments).map(|output| String::from_utf8_lossy(&output.stdout).into())
    }
}

#[test]
fn no_plugin_directory_and_no_hook_are_success_and_silence() {
    let plugins = Plugins::new();
    assert_eq!(plugins.answer(&[]).expect("no directory"), "");
    plugins.hook("a", "other", "#!/bin/sh\necho no\n");
    assert_eq!(plugins.answer(&[]).expect("no such hook"), "");
    assert!(!plugins.triggers().is_implemented("greet").expect("readable"));
}

#[test]
fn hooks_run_in_bytewise_order_with_the_same_arguments_and_their_stdout_is_joined() {
    let plugins = Plugins::new();
    for name in ["b", "20_events", "a", "B", "00_first", ".hidden"] {
        plugins.hook(name, "greet", &format!("#!/bin/sh\nprintf '%s:%s;' {name} \"$*\"\n"));
    }
    let answer = plugins.answer(&["x y", "-z", ""]).expect("all succeed");
    assert_eq!(answer, "00_first:x y -z ;20_events:x y -z ;B:x y -z ;a:x y -z ;b:x y -z ;");
}

#[test]
fn a_plugin_may_be_a_symlink_and_a_script_may_lack_its_first_line() {
    let plugins = Plugins::new();
    let real = plugins.home.path().join("available");
    fs::create_dir_all(&real).expect("a directory");
    fs::write(real.join("greet"), "echo \"linked $1\"\n").expect("a hook");
    fs::set_permissions(real.join("greet"), fs::Permissions::from_mode(0o755)).expect("ours");
    let enabled = plugins.home.path().join("lib/plugins/enabled");
    fs::create_dir_all(&enabled).expect("a directory");
    std::os::unix::fs::symlink(&real, enabled.join("linked")).expect("a link");
    assert_eq!(plugins.answer(&["demo"]).expect("it runs"), "linked demo\n");
}

#[test]
fn a_file_that_is_not_executable_is_passed_over() {
    let plugins = Plugins::new();
    plugins.file("a", "greet", "#!/bin/sh\necho no\n");
    plugins.hook("b", "greet", "#!/bin/sh\necho yes\n");
    fs::create_dir_all(plugins.home.path().join("lib/plugins/enabled/c/greet")).expect("a directory");
    assert_eq!(plugins.answer(&[]).expect("b answers"), "yes\n");
}

#[test]
fn the_first_failure_ends_the_chain_and_names_hook_status_and_stderr() {
    let plugins = Plugins::new();
    plugins.hook("a", "greet", "#!/bin/sh\necho one\n");
    let failing = plugins.hook("b", "greet", "#!/bin/sh\necho 'no luck' >&2\nexit 7\n");
    plugins.hook("c", "greet", "#!/bin/sh\ntouch \"$DOKKU_LIB_ROOT/reached\"\n");
    let error = plugins.answer(&[]).expect_err("b fails");
    assert_eq!(error.status(), 7);
    let text = error.to_string();
    assert_eq!(text, format!("{}: trigger greet failed with exit status 7: no luck", failing.display()));
    assert!(!plugins.home.path().join("lib/reached").exists(), "c ran");
}

#[test]
fn a_hook_that_a_signal_ends_has_the_shells_status() {
    let plugins = Plugins::new();
    plugins.hook("a", "greet", "#!/bin/sh\nkill -9 $$\n");
    let error = plugins.answer(&[]).expect_err("it was killed");
    assert_eq!(error.status(), 137);
    assert!(error.to_string().contains("signal 9"), "{error}");
}

#[test]
fn the_first_reader_drains_stdin_and_a_chain_that_reads_none_does_not_hang() {
    let plugins = Plugins::new();
    plugins.hook("a", "greet", "#!/bin/sh\ncat\nprintf ' a'\n");
    plugins.hook("b", "greet", "#!/bin/sh\ncat\nprintf ' b'\n");
    let call = |trigger, bytes: &[u8]| plugins.triggers().call_with_stdin::<&str>(trigger, &[], bytes);
    assert_eq!(call("greet", b" --x=1").expect("both run").text(), "--x=1 a b");
    assert_eq!(call("greet", b"").expect("both run").stdout, b" a b");
    let large = vec![b'x'; 1 << 20];
    assert_eq!(call("greet", &large).expect("both run").stdout.len(), large.len() + 4);
    plugins.hook("a", "deaf", "#!/bin/sh\necho done\n");
    assert_eq!(call("deaf", &large).expect("it need not read").text(), "done");
}

#[test]
fn hooks_see_added_variables_and_where_things_lie() {
    let plugins = Plugins::new();
    plugins.hook("a", "greet", "#!/bin/sh\necho \"$FORMATION_LOCK $PLUGIN_PATH\"\n");
    let triggers = plugins.triggers().with_env("FORMATION_LOCK", "demo 1 2");
    let answer = triggers.call::<&str>("greet", &[]).expect("it runs").text();
    assert_eq!(answer, format!("demo 1 2 {}", plugins.world.plugins().display()));
}

#[test]
fn a_deadline_ends_the_hook_and_what_it_started() {
    let plugins = Plugins::new();
    let pid_file = plugins.home.path().join("pid");
    let script =
        format!("#!/bin/sh\ntrap '' TERM\nsleep 300 &\necho $! >{}\nwait\nwait\n", pid_file.display());
    plugins.hook("slow", "greet", &script);
    let begun = Instant::now();
    // A busy machine needs some of it to start the hook.
    let triggers = plugins.triggers().with_deadline(Duration::from_secs(3));
    let error = triggers.call::<&str>("greet", &[]).expect_err("it sleeps");
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    let pid = fs::read_to_string(&pid_file).expect("the hook wrote it");
    let child = PathBuf::from(format!("/proc/{}/stat", pid.trim()));
    let is_gone = || fs::read_to_string(&child).map_or(true, |stat| stat.contains(") Z "));
    let patience = Instant::now() + Duration::from_secs(60);
    while !is_gone() {
        assert!(Instant::now() < patience, "the hook's child outlived it");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_a_hook_leaves_running_is_not_awaited_beyond_the_deadline() {
    let plugins = Plugins::new();
    plugins.hook("a", "greet", "#!/bin/sh\nsetsid sleep 30 &\necho quick\n");
    let begun = Instant::now();
    let triggers = plugins.triggers().with_deadline(Duration::from_secs(3));
    assert_eq!(triggers.call::<&str>("greet", &[]).expect("it ended in time").text(), "quick");
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
}

#[test]
fn the_event_logger_implements_nothing() {
    let plugins = Plugins::new();
    plugins.hook("20_events", "greet", "#!/bin/sh\n");
    assert!(!plugins.triggers().is_implemented("greet").expect("readable"));
    plugins.hook("mine", "greet", "#!/bin/sh\n");
    assert!(plugins.triggers().is_implemented("greet").expect("readable"));
}

#[test]
fn a_name_that_leaves_the_plugin_is_refused() {
    for name in ["", "..", "../greet", "a/b", "/bin/sh", "a\0b"] {
        let refused = Plugins::new().triggers().call::<&str>(name, &[]);
        assert!(matches!(refused, Err(Error::NotATrigger(_))), "{name:?}");
    }
}
