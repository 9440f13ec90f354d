//! Which apps exist, which names they may have, who owns their files, and what other programs may do to the files
//! meanwhile.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use ps_apps::{App, Error, Scope, StoredEntry, World};
use tempfile::TempDir;

fn world() -> (TempDir, World) {
    let dir = tempfile::tempdir().expect("a directory");
    let world = World::new(dir.path().join("home"), dir.path().join("lib"));
    (dir, world)
}

fn create(world: &World, name: &str) -> Result<App, Error> {
    world.create_app(&name.parse().expect("a legal name"))
}

/// Every path below a directory.
fn everything(path: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry.expect("an entry").path();
        all.push(path.display().to_string());
        if path.is_dir() && !path.is_symlink() {
            all.extend(everything(&path));
        }
    }
    all
}

#[test]
fn a_name_that_shares_a_directory_with_others_is_refused_and_nothing_is_made() {
    let (dir, world) = world();
    for name in ["ps", "config", "scheduler", "retire", "dead-containers", "dead-images", "all", "formation"]
    {
        let refused = create(&world, name).expect_err(name);
        assert!(matches!(refused, Error::ReservedAppName { .. }), "{name}: {refused}");
        assert!(
            refused.to_string().contains(name) && refused.to_string().contains("choose another"),
            "{refused}"
        );
        assert_eq!(everything(dir.path()), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn a_plugin_that_nobody_knows_keeps_its_name() {
    let (dir, world) = world();
    create(&world, "blog").expect("an app");
    fs::create_dir_all(dir.path().join("lib/config/my-plugin/blog")).expect("a directory");
    fs::create_dir_all(dir.path().join("lib/data/her-plugin")).expect("a directory");
    for name in ["my-plugin", "her-plugin"] {
        let refused = create(&world, name).expect_err(name);
        assert!(matches!(refused, Error::ReservedAppName { .. }), "{name}: {refused}");
    }
    fs::create_dir_all(dir.path().join("lib/config/shop")).expect("a directory");
    fs::write(dir.path().join("lib/config/shop/ENV"), "A=1\n").expect("a file");
    create(&world, "shop").expect("an environment that is there first is no plugin");
}

#[test]
fn apps_are_directories_and_links_to_directories_with_a_legal_name() {
    let (dir, world) = world();
    assert_eq!(world.apps().expect("no root is no app"), []);
    let home = dir.path().join("home");
    for name in ["blog", "old_name", "Upper", ".hidden", "0day", "camelCase", "a b"] {
        fs::create_dir_all(home.join(name)).expect("a directory");
    }
    fs::write(home.join("file"), "").expect("a file");
    symlink(home.join("blog"), home.join("link")).expect("a link");
    symlink(home.join("nowhere"), home.join("dangling")).expect("a link");
    symlink(home.join("file"), home.join("to-file")).expect("a link");
    let names: Vec<_> = world.apps().expect("apps").into_iter().map(|app| app.name.to_string()).collect();
    assert_eq!(names, ["0day", "blog", "link", "old_name"]);
}

#[test]
fn an_unknown_app_is_named_with_the_directory_that_was_searched() {
    let (dir, world) = world();
    let refused = world.app("blog").expect_err("no app");
    assert!(matches!(refused, Error::NoSuchApp { .. }), "{refused}");
    assert!(refused.to_string().contains(&dir.path().join("home").display().to_string()), "{refused}");
    for word in ["", "../x", "A", "a/b", ".", "..", "-x", "a\n", &"a".repeat(4096)] {
        let refused = world.app(word).expect_err("no name");
        assert!(matches!(refused, Error::InvalidAppName(_)), "{word:.20}: {refused}");
    }
    fs::create_dir_all(dir.path().join("home")).expect("a directory");
    fs::write(dir.path().join("home/blog"), "").expect("a file");
    assert!(matches!(world.app("blog"), Err(Error::NoSuchApp { .. })), "a file is no app");
}

#[test]
fn creating_an_app_again_changes_nothing() {
    let (_dir, world) = world();
    let app = create(&world, "blog").expect("an app");
    let three = vec![StoredEntry { name: "web".to_owned(), count: 3 }];
    let changed = world.update_formation(&app.name, |before| {
        Ok::<_, Error>(ps_apps::StoredFormation { scale: three.clone(), old: before.old.clone() })
    });
    changed.expect("an update");
    assert_eq!(create(&world, "blog").expect("still there"), app);
    assert_eq!(world.formation(&app.name).expect("a formation").scale, three);
}

#[test]
fn nothing_is_set_for_an_app_that_is_not_there() {
    let (dir, world) = world();
    create(&world, "blog").expect("an app");
    let before = everything(dir.path());
    let name = "gone".parse().expect("a legal name");
    let refused = world.set_property("ps", Scope::App(&name), "restart-policy", "always");
    assert!(matches!(refused, Err(Error::NoSuchApp { .. })), "{refused:?}");
    let refused = world.update_formation(&name, |before| Ok::<_, Error>(before.clone()));
    assert!(matches!(refused, Err(Error::NoSuchApp { .. })), "{refused:?}");
    world.unset_property("ps", Scope::App(&name), "restart-policy").expect("never set is unset");
    assert_eq!(everything(dir.path()), before);
}

#[test]
fn a_destroyed_app_leaves_nothing_and_others_keep_all() {
    let (dir, world) = world();
    create(&world, "keep").expect("an app");
    let before = everything(dir.path());
    let app = create(&world, "blog").expect("an app");
    for plugin in ["ps", "scheduler", "my-plugin"] {
        world.set_property(plugin, Scope::App(&app.name), "key", "value").expect("a write");
    }
    world.destroy_app(&app.name).expect("destroyed");
    world.destroy_app(&app.name).expect("twice is no fault");
    let left: Vec<_> = everything(dir.path()).into_iter().filter(|path| path.contains("blog")).collect();
    assert_eq!(left, Vec::<String>::new());
    assert!(before.iter().all(|path| Path::new(path).exists()));
}

#[test]
fn a_value_is_private_and_belongs_to_the_owner_of_its_app() {
    let (dir, world) = world();
    let app = create(&world, "blog").expect("an app");
    let is_root = chown(dir.path().join("home/blog"), Some(1234), Some(4321)).is_ok();
    world.set_property("ps", Scope::App(&app.name), "restart-policy", "always").expect("a write");
    let path = dir.path().join("lib/config/ps/blog/restart-policy");
    let metadata = fs::metadata(&path).expect("a file");
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::read(&path).expect("a file"), b"always", "no final newline");
    if is_root {
        assert_eq!((metadata.uid(), metadata.gid()), (1234, 4321));
    } else {
        skipped::skip("no root: whose a value is, is left out");
    }
}

#[test]
fn a_value_that_is_there_already_is_not_written_again_unless_anything_about_it_is_wrong() {
    let (dir, world) = world();
    let app = create(&world, "blog").expect("an app");
    let path = dir.path().join("lib/config/ps/blog/restart-policy");
    let set = |value: &str| {
        world.set_property("ps", Scope::App(&app.name), "restart-policy", value).expect("a write");
        let metadata = fs::metadata(&path).expect("a file");
        (metadata.ino(), metadata.permissions().mode() & 0o7777, fs::read_to_string(&path).expect("a value"))
    };
    let first = set("always");
    assert_eq!(set("always"), first);
    assert_ne!(set("no").0, first.0, "another value is another file");
    fs::write(&path, "no\n").expect("somebody's editor");
    let (_, mode, value) = set("no");
    assert_eq!((mode, &*value), (0o600, "no"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("ours");
    assert_eq!(set("no").1, 0o600);
    fs::remove_file(&path).expect("it was there");
    symlink("/etc/hostname", &path).expect("a link");
    assert_eq!(set("no").2, "no");
    assert!(!path.is_symlink(), "a link is replaced, not followed");
}

#[test]
fn what_dokku_wrote_is_read_as_dokku_reads_it() {
    let (dir, world) = world();
    let put = |path: &str, text: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, text).expect("a file");
    };
    fs::create_dir_all(dir.path().join("home/blog")).expect("a directory");
    put("lib/config/ps/blog/scale", "web=2\nWorker_2=0\nold.name=1\nweb=7\n");
    put("lib/config/ps/blog/scale.old", "web=0\ncron=0\n");
    put("lib/config/ps/blog/restart-policy", "on-failure:20");
    put("lib/config/ps/--global/procfile-path", "Procfile.web\n");
    let app = world.app("blog").expect("an app").name;
    let formation = world.formation(&app).expect("a formation");
    let effective: Vec<_> = formation.effective().into_iter().collect();
    assert_eq!(effective, [("Worker_2", 0), ("cron", 0), ("old.name", 1), ("web", 2)]);
    let read = |scope, key| world.property("ps", scope, key).expect("a property");
    assert_eq!(read(Scope::App(&app), "restart-policy").as_deref(), Some("on-failure:20"));
    assert_eq!(read(Scope::Global, "procfile-path").as_deref(), Some("Procfile.web"));
}

#[test]
fn a_value_that_dokku_is_just_writing_is_waited_for() {
    let (dir, world) = world();
    let app = create(&world, "blog").expect("an app");
    let path = dir.path().join("lib/config/ps/blog/restart-policy");
    let read_while_written = |_| {
        fs::write(&path, "").expect("a file");
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(15));
                fs::write(&path, "always").expect("a write");
            });
            world.property("ps", Scope::App(&app.name), "restart-policy").expect("a property")
        })
    };
    // The writer may come too late on a busy machine, so this is tried ten times.
    assert!((0..10).map(read_while_written).any(|read| read.as_deref() == Some("always")));
    fs::write(&path, "").expect("a file");
    let started = Instant::now();
    let read = world.property("ps", Scope::App(&app.name), "restart-policy").expect("a property");
    assert_eq!(read.as_deref(), Some(""), "one that stays empty is believed");
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[test]
fn lib_roots_that_join_and_leave_an_app_at_the_same_moment_lose_no_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let world = |number: usize| {
        let lib = dir.path().join(format!("lib-{number}"));
        fs::create_dir_all(&lib).expect("made");
        World::new(dir.path().join("home"), lib)
    };
    let maker = world(0);
    let app = create(&maker, "shop").expect("created").name;
    let path = dir.path().join("home/shop/.lib-roots");
    let lines = || fs::read_to_string(&path).map_or(0, |text| text.lines().count());
    let at_once = |act: &(dyn Fn(&World) + Sync)| {
        let ready = std::sync::Barrier::new(8);
        thread::scope(|scope| {
            for number in 1..=8 {
                let (world, ready) = (world(number), &ready);
                scope.spawn(move || {
                    ready.wait();
                    act(&world);
                });
            }
        });
    };
    for _ in 0..10 {
        at_once(&|world| {
            world.join_app(&app).expect("joined");
            fs::create_dir_all(world.lib().join("config/ps/shop")).expect("made");
        });
        assert_eq!(lines(), 9, "{}", fs::read_to_string(&path).expect("readable"));
        at_once(&|world| assert!(world.destroy_app(&app).expect("left").is_some(), "its maker has it"));
        assert_eq!(lines(), 1, "{}", fs::read_to_string(&path).expect("readable"));
    }
    assert_eq!(maker.destroy_app(&app).expect("destroyed"), None);
}
