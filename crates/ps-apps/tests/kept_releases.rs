//! The last releases of an app: each deploy keeps one, damaged ones do not hide the others, and all are removed with
//! the app.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use formation::AppName;
use ps_apps::{Bytes, Deployed, Error, FormationOrigin, StoredEntry, World};
use tempfile::TempDir;

struct Place {
    directory: TempDir,
    world: World,
    app: AppName,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let world = World::new(directory.path().join("home"), directory.path().join("lib"));
        let app = "shop".parse().expect("a legal name");
        world.create_app(&app).expect("an app");
        Self { directory, world, app }
    }

    fn releases(&self) -> PathBuf {
        self.directory.path().join("lib/data/formation/shop/releases")
    }

    fn numbers(&self) -> Vec<u64> {
        let kept = self.world.kept_releases(&self.app).expect("readable");
        kept.into_iter().map(|release| release.expect("sound").number).collect()
    }

    fn deploy(&self, deployed: &Deployed) {
        self.world.record_deploy(&self.app, deployed).expect("recorded");
    }
}

fn release(place: &str, procfile: &[u8]) -> Deployed {
    Deployed {
        kind: "directory".to_owned(),
        place: place.to_owned(),
        source: ps_apps::SourceRecord::default(),
        procfile: Some(Bytes(procfile.to_vec())),
        app_json: None,
        scheduler: "native".to_owned(),
        scale: vec![StoredEntry { name: "web".to_owned(), count: 2 }],
        scale_source: FormationOrigin::Argument.as_str().to_owned(),
        can_scale: true,
        image: None,
        restores: None,
        properties: BTreeMap::new(),
    }
}

#[test]
fn a_release_comes_back_as_it_was_deployed() {
    let place = Place::new();
    let tree = place.directory.path().join("r1");
    fs::create_dir(&tree).expect("a directory");
    symlink(&tree, place.directory.path().join("current")).expect("a link");
    let typed = place.directory.path().join("current").display().to_string();
    let procfile = "web: caf\u{e9} --to=2\n";
    place.deploy(&release(&typed, procfile.as_bytes()));
    let kept = place.world.kept_releases(&place.app).expect("readable").remove(0).expect("sound");
    assert_eq!((kept.number, kept.kind.as_str(), kept.place.as_str()), (1, "directory", typed.as_str()));
    let resolved = tree.canonicalize().expect("it is there");
    assert_eq!(kept.directory.as_deref(), resolved.to_str(), "where the link led to");
    assert_eq!(kept.procfile.map(ps_apps::Text::into_bytes).as_deref(), Some(procfile.as_bytes()));
    assert_eq!((kept.app_json, kept.digest), (None, None));
    assert_eq!(kept.formation, release("", b"").scale);
    let file = place.releases().join("1.json");
    assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o7777, 0o600);
    let json = fs::read_to_string(file).expect("text");
    assert!(json.contains("web: caf\u{e9} --to=2\\n"), "the Procfile is text: {json}");
}

#[test]
fn a_release_knows_what_its_directory_held_which_image_ran_and_what_it_deployed_again() {
    let place = Place::new();
    let tree = place.directory.path().join("r1");
    fs::create_dir(&tree).expect("a directory");
    fs::write(tree.join("web.js"), "1").expect("written");
    let typed = tree.display().to_string();
    place.deploy(&release(&typed, b"web: run\n"));
    place.deploy(&Deployed { restores: Some(1), ..release(&typed, b"web: run\n") });
    let id = format!("sha256:{}", "b".repeat(64));
    place.deploy(&Deployed {
        kind: "docker-image".to_owned(),
        image: Some(id.clone()),
        ..release("box:1", b"web: run\n")
    });
    let kept = |number| place.world.kept_release(&place.app, number).expect("readable");
    let (first, second, third) = (kept(1).expect("kept"), kept(2).expect("kept"), kept(3).expect("kept"));
    assert_eq!(first.content, Some(tree_digest::of(&tree).expect("a digest")));
    assert_eq!((first.content.clone(), first.restores, second.restores), (second.content, None, Some(1)));
    assert_eq!((third.image, third.content), (Some(id), None));
    assert_eq!(kept(4), None);
    assert_eq!(place.world.newest_release(&place.app).expect("readable"), Some(3));
    // A release that an earlier version kept has none of these fields.
    let file = place.releases().join("1.json");
    let mut json: serde_json::Value =
        serde_json::from_slice(&fs::read(&file).expect("a file")).expect("JSON");
    json.as_object_mut().expect("an object").remove("content");
    fs::write(&file, json.to_string()).expect("written");
    assert_eq!(kept(1).expect("kept").content, None);
}

#[test]
fn an_image_is_kept_with_its_digest_and_a_procfile_with_all_its_bytes() {
    let place = Place::new();
    let image = format!("registry.example/shop@sha256:{}", "a".repeat(64));
    place.deploy(&Deployed { kind: "docker-image".to_owned(), ..release(&image, b"web: \xff\n") });
    let kept = place.world.kept_releases(&place.app).expect("readable").remove(0).expect("sound");
    assert_eq!(kept.digest, Some(format!("sha256:{}", "a".repeat(64))));
    assert_eq!((kept.place, kept.directory), (image, None));
    assert_eq!(kept.procfile.map(ps_apps::Text::into_bytes), Some(b"web: \xff\n".to_vec()));
}

#[test]
fn of_eleven_deploys_the_oldest_is_forgotten_and_no_number_comes_twice() {
    let place = Place::new();
    for number in 1..=11 {
        place.deploy(&release("/srv/shop", format!("web: run {number}\n").as_bytes()));
    }
    assert_eq!(place.numbers(), (2..=11).rev().collect::<Vec<u64>>());
    place.deploy(&release("/srv/shop", b"web: run\n"));
    assert_eq!(place.numbers(), (3..=12).rev().collect::<Vec<u64>>());
}

#[test]
fn a_damaged_release_is_named_and_hides_no_other() {
    let place = Place::new();
    for _ in 0..5 {
        place.deploy(&release("/srv/shop", b"web: run\n"));
    }
    let file = |number: u64| place.releases().join(format!("{number}.json"));
    let sound = fs::read_to_string(file(1)).expect("text");
    fs::write(file(5), &sound[..sound.len() / 2]).expect("written");
    fs::write(file(4), sound.replace("\"format\":1", "\"format\":2")).expect("written");
    fs::write(file(3), &sound).expect("written");
    fs::remove_file(file(2)).and_then(|()| fs::create_dir(file(2))).expect("made");
    // Other files in the directory are ignored.
    fs::write(place.releases().join("notes.json"), "mine").expect("written");
    fs::write(place.releases().join("18446744073709551615.json"), "mine").expect("written");
    let kept = place.world.kept_releases(&place.app).expect("readable");
    let told: Vec<String> = kept
        .into_iter()
        .map(|release| match release {
            Ok(release) => release.number.to_string(),
            Err(error @ Error::Corrupt { .. }) => error.to_string(),
            Err(error) => panic!("{error}"),
        })
        .collect();
    for (number, (told, part)) in [5, 4, 3, 2].into_iter().zip(told.iter().zip([
        "EOF while parsing",
        "format 2 is of a later version",
        "it says that it is release 1",
        "is not a file but a directory",
    ])) {
        assert!(told.contains(part) && told.contains(&format!("{number}.json")), "{told}");
    }
    assert_eq!(told[4], "1");
    place.deploy(&release("/srv/shop", b"web: run\n"));
    let newest = place.world.kept_releases(&place.app).expect("readable").remove(0).expect("sound");
    assert_eq!(newest.number, 6);
}

#[test]
fn a_deploy_of_an_earlier_version_that_was_killed_is_kept_when_it_is_finished() {
    let place = Place::new();
    let half = serde_json::to_vec(&release("/srv/shop", b"web: run\n")).expect("plain data");
    let directory = place.directory.path().join("lib/data/apps/shop");
    fs::create_dir_all(&directory)
        .and_then(|()| fs::write(directory.join("deployed.json"), half))
        .expect("made");
    drop(place.world.lock_app(&place.app, std::time::Duration::ZERO).expect("free"));
    assert_eq!(place.numbers(), [1]);
}

#[test]
fn releases_follow_a_clone_and_go_with_their_app() {
    let place = Place::new();
    place.deploy(&release("/srv/shop", b"web: run\n"));
    let other: AppName = "copy".parse().expect("a legal name");
    place.world.copy_ps_data(&place.app, &other).expect("copied");
    let kept = place.world.kept_releases(&other).expect("readable").remove(0).expect("sound");
    assert_eq!(kept.number, 1);
    place.world.remove_ps_data(&place.app).expect("removed");
    assert!(!place.releases().parent().expect("the app's directory").exists());
    let place = Place::new();
    place.deploy(&release("/srv/shop", b"web: run\n"));
    place.world.destroy_app(&place.app).expect("destroyed");
    assert!(!place.releases().parent().expect("the app's directory").exists());
}

#[test]
fn an_app_that_is_called_like_a_lock_is_in_nobodys_way() {
    let place = Place::new();
    let odd: AppName = "shop.lock".parse().expect("a legal name");
    place.world.create_app(&odd).expect("an app");
    place.world.record_deploy(&odd, &release("/srv/odd", b"web: run\n")).expect("recorded");
    place.deploy(&release("/srv/shop", b"web: run\n"));
    let wait = std::time::Duration::ZERO;
    let locks = [&odd, &place.app].map(|app| place.world.lock_app(app, wait).expect("free"));
    place.world.destroy_app(&odd).expect("destroyed");
    drop(locks);
    drop(place.world.lock_app(&place.app, wait).expect("its lock is still there"));
    assert_eq!(place.numbers(), [1]);
    let left = place.directory.path().join("lib/data/formation/shop.lock~");
    assert!(!left.exists());
}
