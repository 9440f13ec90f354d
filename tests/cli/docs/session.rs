//! A page's commands in one shell, in a home where nothing is yet.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::home::{Home, LISTEN, programs};
use crate::machines::{self, Machines};
use crate::page::{Block, Page, World};
use crate::program::{run, run_within};
use crate::transcript;

/// After this long a page counts as hanging: a swarm of three machines comes up, loses one and gets it back.
const LONGEST: Duration = Duration::from_secs(600);
/// A network of the page's own: the ports that it names are free there, whatever other tests run beside it.
const ALONE: &str = "{ busybox ip link set lo up || ip link set lo up; } && exec \"$@\"";

/// Runs the page to its end, in a new home. A machine that lacks what it needs skips it.
pub(crate) fn run_page(page: &Page) {
    let home = Home::as_installed();
    fs::remove_file(home.path(LISTEN)).expect("nothing is set for a newcomer");
    let missing: Vec<&String> = page.needs.iter().filter(|program| !is_there(&home, program)).collect();
    if !missing.is_empty() {
        return skipped::skip(format_args!("{}: there is no {missing:?}", page.path.display()));
    }
    if page.world == World::Machines {
        let Some(machines) = Machines::up() else { return };
        run_in(&home, page, |words| machines.first(&home, words));
        return fs::remove_dir_all(home.path("lib/config/scheduler-swarm")).expect("the id of the world");
    }
    if run(alone(&home, &["true"])).status != Some(0) {
        return skipped::skip("no network namespace is to be had here");
    }
    run_in(&home, page, |words| alone(&home, words));
}

fn run_in(home: &Home, page: &Page, place: impl Fn(&[&str]) -> Command) {
    let outputs = home.path("outputs");
    fs::create_dir(&outputs).expect("a directory");
    let script = home.write("page.sh", &script(page, &outputs));
    let directory = home.path("work");
    fs::create_dir_all(directory.join("tests")).expect("a directory");
    // What a page says of a checkout of this repository is of its sample apps.
    symlink(checkout().join("tests/apps"), directory.join("tests/apps")).expect("a link");
    let mut command = place(&["bash", script.to_str().expect("text")]);
    command.current_dir(directory);
    if page.world == World::Dokku {
        command.env("PATH", dokku(home));
    }
    let ran = run_within(command, LONGEST);
    for (index, block) in page.blocks.iter().enumerate() {
        let place = format!("{}:{}", page.path.display(), block.line);
        let output = fs::read_to_string(outputs.join(index.to_string()));
        let output = output.unwrap_or_else(|_| panic!("{place}: was not come to: {ran:?}"));
        let is_last = !outputs.join((index + 1).to_string()).exists();
        assert!(!is_last || ran.status == Some(0), "{place}: failed: {ran:?}\n{}\n{output}", block.commands);
        if let Some(shown) = &block.shown {
            assert!(
                transcript::agrees(shown, &output),
                "{place}: the page shows\n{shown}\nand what came is\n{output}"
            );
        }
    }
}

/// Makes of the home one where Dokku has our plugin and an app; where its commands are found, as PATH. Dokku itself is not there: of it there is
/// as much as calls the plugin.
fn dokku(home: &Home) -> String {
    let checkout = checkout();
    let plugins = home.path("lib/plugins/enabled");
    fs::create_dir_all(&plugins).expect("a directory");
    symlink(checkout.join("triggers/ps"), plugins.join("ps")).expect("a link");
    fs::create_dir_all(home.path("home/shop")).expect("an app");
    home.write("lib/data/ps/shop/Procfile", "web: bin/web\nworker: bin/work\n");
    let path = std::env::var("PATH").unwrap_or_default();
    let ours = programs().display();
    let checkout = checkout.display();
    format!("{checkout}/tests/cli/docs/bin:{checkout}/tests/triggers/bin:{ours}:{path}")
}

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("it is there")
}

/// A command with a network that has nobody else in it.
fn alone(home: &Home, words: &[&str]) -> Command {
    let mut command = home.command_at(Path::new("/usr/bin"), &["unshare"]);
    if !rustix::process::getuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--net", "sh", "-c", ALONE, "sh"]).args(words);
    command
}

fn is_there(home: &Home, program: &str) -> bool {
    let mut command = home.command_at(Path::new("/bin"), &["sh"]);
    command.args(["-c", "command -v \"$0\"", program]);
    run(command).status == Some(0)
}

/// The blocks, one after the other; what each prints goes into a file of its own.
fn script(page: &Page, outputs: &Path) -> String {
    let mut script = String::from("set -eu -o pipefail\n");
    if page.world == World::Machines {
        script.push_str(machines::WORDS);
    }
    for (index, block) in page.blocks.iter().enumerate() {
        writeln!(script, "exec >'{}/{index}' 2>&1", outputs.display()).expect("a text takes all");
        if let Some(happens) = &block.happens {
            writeln!(script, "{happens}").expect("a text takes all");
        }
        if let Some(machine) = &block.machine {
            writeln!(script, "at {machine}").expect("a text takes all");
        }
        script.push_str(&commands(block));
        if block.machine.is_some() {
            script.push_str("at node1\n");
        }
    }
    script
}

fn commands(Block { commands, until, .. }: &Block) -> String {
    let Some(until) = until else { return commands.clone() };
    // With job control, what runs in the background is a process group of its own, and minds SIGINT.
    format!(
        "set -m\n{{\n{commands}}} &\nset +m\n\
         until {until} >/dev/null 2>&1; do kill -0 $!; sleep 0.05; done\n\
         kill -INT -- -$!\nwait $!\n"
    )
}
