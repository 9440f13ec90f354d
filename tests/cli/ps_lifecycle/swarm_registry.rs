//! Images of a private registry on a swarm: every node pulls with the login of whoever deploys.

use std::fs;
use std::path::Path;
use std::process::Command;

use swarm_cluster::Cluster;

use crate::home::Home;
use crate::images::keeper;
use crate::program::Ran;
use crate::registry::{PASSWORD, Registry};
use crate::swarm::Place;

const CONFIG: &str = ".docker/config.json";
/// What the password is in the file of a login, without its end.
const ENCODED: &str = "YW5uOnB+dz8+";

/// A cluster and its registry, and who deploys there.
struct Shop<'a> {
    home: &'a Home,
    place: Place<'a>,
    cluster: &'a Cluster,
    registry: &'a Registry,
}

impl Shop<'_> {
    /// Has the registry keep a release, and every node forget it.
    fn keeps(&self, number: u32) -> String {
        let image = format!("{}/shop:{number}", self.registry.host);
        let release = if number == 1 { r"release: echo migrated\n" } else { "" };
        let base = swarm_cluster::IMAGE;
        let text = format!(
            "FROM {base}\nLABEL number={number}\nWORKDIR /app\nRUN printf 'web: exec sleep 1000\\n{release}' >Procfile\n"
        );
        self.cluster.image(&image, &text);
        self.with_login(1, &["push", "-q", &image]);
        for node in [1, 2] {
            self.forgets(node, &image);
        }
        image
    }

    fn forgets(&self, node: u8, image: &str) {
        self.cluster.docker(node, &["image", "rm", "-f", image]);
    }

    /// Docker's own client on a node, with a login.
    fn with_login(&self, node: u8, words: &[&str]) {
        let config = tempfile::tempdir().expect("a directory");
        fs::write(config.path().join("config.json"), self.registry.login()).expect("written");
        let config = config.path().to_str().expect("text");
        self.cluster.docker(node, &[&["--config", config], words].concat());
    }

    fn deploy(&self, image: &str, more: &[&str]) -> Ran {
        let ran = self.place.run(&[&["ps-lifecycle", "deploy", "shop", "--image", image][..], more].concat());
        hides_it(&ran);
        ran
    }

    fn deploys(&self, image: &str, more: &[&str]) -> Ran {
        let ran = self.deploy(image, more);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        ran
    }

    /// The app, which is not there yet, is to have nothing on the node that is asked.
    fn runs_on_the_second(&self) {
        fs::create_dir_all(self.home.path("home/shop")).expect("the app's directory");
        self.place.does(&["ps-set", "shop", "constraints", "node.hostname==node2"]);
    }

    /// How many containers of the app a node runs.
    fn run_by(&self, node: u8) -> usize {
        self.cluster.docker(node, &["ps", "-q", "--filter", "label=com.dokku.app-name=shop"]).lines().count()
    }
}

fn hides_it(ran: &Ran) {
    let said = format!("{} {}", ran.stdout, ran.stderr);
    assert!(!said.contains(PASSWORD) && !said.contains(ENCODED), "{said}");
}

/// Whether a file below a directory has the password, beside the one of the login.
fn has_it(directory: &Path) -> String {
    let mut search = Command::new("grep");
    search.args(["-rlF", "-e", PASSWORD, "-e", ENCODED, "--exclude-dir=.docker", "--exclude-dir=programs"]);
    let found = search.arg("--exclude=hook.text").arg(directory).output().expect("grep runs");
    String::from_utf8(found.stdout).expect("text")
}

#[test]
fn every_node_pulls_with_the_login_of_whoever_deploys_and_nobody_is_shown_it() {
    let Some(cluster) = Cluster::up_to_pull(2) else { return };
    let Some(registry) = Registry::among(&cluster) else { return };
    let home = Home::new();
    let place = Place::new(&home, &cluster);
    let shop = Shop { home: &home, place, cluster: &cluster, registry: &registry };
    let (first, second, third) = (shop.keeps(1), shop.keeps(2), shop.keeps(3));

    let without = shop.deploy(&first, &["--scheduler", "swarm"]);
    let command = format!("docker login {}", registry.host);
    assert!(without.status == Some(1) && without.stderr.contains(&command), "{without:?}");
    assert_eq!(cluster.docker(1, &["service", "ls", "-q"]), "");

    home.write(CONFIG, &registry.login());
    shop.runs_on_the_second();
    hides_it(&shop.deploy(&first, &["--scheduler", "swarm", "--dry-run"]));
    let ran = shop.deploys(&first, &["--scheduler", "swarm", "--scale", "web=2"]);
    assert!(ran.stderr.contains("migrated"), "the task of the deploy ran: {ran:?}");
    assert_eq!((shop.run_by(1), shop.run_by(2)), (0, 2));
    let described = cluster.docker(1, &["service", "inspect", "shop_web"]);
    assert!(!described.contains(PASSWORD) && !described.contains(ENCODED), "{described}");
    assert_eq!(has_it(shop.home.path("").as_path()), "");

    a_node_that_forgot_the_image_pulls_it_again(&shop, &first);
    a_node_that_may_not_is_named(&shop, &first, &second);

    home.write(CONFIG, &keeper(&home, &registry));
    shop.deploys(&second, &["--scheduler", "swarm", "--scale", "web=2"]);
    assert_eq!(shop.run_by(2), 2);
    let wrong =
        format!(r#"{{"auths": {{"{}": {{"username": "ann", "password": "guess"}}}}}}"#, registry.host);
    home.write(CONFIG, &wrong);
    let ran = shop.deploy(&third, &[]);
    let refuses = format!("{} refuses the login in", registry.host);
    assert!(
        ran.status == Some(1) && ran.stderr.contains(&refuses) && !ran.stderr.contains("guess"),
        "{ran:?}"
    );
    assert_eq!(shop.run_by(2), 2);
    shop.place.does(&["ps-lifecycle", "destroy", "shop"]);
    fs::remove_dir_all(home.path("lib/config/scheduler-swarm")).expect("the id of the world");
}

/// By the credentials that the swarm keeps with a service, and for a one-off by those of the file.
fn a_node_that_forgot_the_image_pulls_it_again(shop: &Shop<'_>, image: &str) {
    let digest = || {
        let listed =
            shop.cluster.docker(2, &["image", "ls", "--digests", "--format", "{{.Repository}}@{{.Digest}}"]);
        let name = image.rsplit_once(':').expect("a tag").0.to_owned() + "@";
        listed.lines().find(|line| line.starts_with(&name)).map(str::to_owned)
    };
    shop.place.does(&["ps-scale", "shop", "web=0"]);
    shop.forgets(2, &digest().expect("the node has it"));
    let ran = shop.place.run(&["ps-lifecycle", "run", "shop", "--no-tty", "--", "echo", "once"]);
    assert!(ran.status == Some(0) && ran.stdout == "once\n", "{ran:?}");
    shop.forgets(2, &digest().expect("the node has it again"));
    assert_eq!(digest(), None);
    shop.place.does(&["ps-scale", "shop", "web=2"]);
    assert_eq!(shop.run_by(2), 2);
}

/// This machine has the image, and whoever deploys has no login any more: the node is named that could not get it, what its registry said, and
/// what to do.
fn a_node_that_may_not_is_named(shop: &Shop<'_>, first: &str, image: &str) {
    shop.with_login(1, &["pull", "-q", image]);
    shop.home.write(CONFIG, "{}");
    let is_named = |ran: Ran, what: &str| {
        let said =
            ["No such image", " (node2 could not get it: ", "was asked without a login", "docker login "];
        let is_said = said.iter().chain([&what]).all(|word| ran.stderr.contains(word));
        assert!(ran.status == Some(1) && is_said, "{ran:?}");
    };
    let name = first.rsplit_once(':').expect("a tag").0;
    let listed = shop.cluster.docker(2, &["image", "ls", "--digests", "--format", "{{.Digest}}", name]);
    shop.place.does(&["ps-scale", "shop", "web=0"]);
    shop.forgets(2, &format!("{name}@{}", listed.trim()));
    is_named(shop.deploy(first, &[]), "release.1 of shop");
    let ran = shop.place.run(&["ps-lifecycle", "run", "shop", "--no-tty", "--", "echo", "once"]);
    is_named(ran, "run ");
    shop.place.does(&["ps-lifecycle", "destroy", "shop"]);
    shop.runs_on_the_second();
    is_named(shop.deploy(image, &["--scheduler", "swarm", "--scale", "web=2"]), "web.");
}

#[test]
fn a_tag_that_is_another_image_in_its_registry_by_now_is_told_and_deployed_by_who_pulls() {
    let Some(cluster) = Cluster::up_to_pull(2) else { return };
    let Some(registry) = Registry::among(&cluster) else { return };
    let home = Home::new();
    let place = Place::new(&home, &cluster);
    let shop = Shop { home: &home, place, cluster: &cluster, registry: &registry };
    let (moving, other) = (shop.keeps(2), shop.keeps(3));
    home.write(CONFIG, &registry.login());
    shop.with_login(1, &["pull", "-q", &moving]);
    let of_service = || {
        let format = "{{.Spec.TaskTemplate.ContainerSpec.Image}}";
        cluster.docker(1, &["service", "inspect", "--format", format, "shop_web"])
    };
    let is_told = |ran: &Ran| ran.stderr.contains(&format!("has another image as {moving} by now"));
    assert!(!is_told(&shop.deploys(&moving, &["--scheduler", "swarm"])), "it is the same");
    let first = of_service();

    shop.with_login(2, &["pull", "-q", &other]);
    cluster.docker(2, &["tag", &other, &moving]);
    shop.with_login(2, &["push", "-q", &moving]);
    let ran = shop.deploys(&moving, &[]);
    assert!(is_told(&ran) && ran.stderr.contains("--pull always"), "{ran:?}");
    assert_eq!(of_service(), first);
    let ran = shop.deploys(&moving, &["--pull", "always"]);
    assert!(!is_told(&ran), "{ran:?}");
    assert_ne!(of_service(), first);
    shop.place.does(&["ps-lifecycle", "destroy", "shop"]);
    fs::remove_dir_all(home.path("lib/config/scheduler-swarm")).expect("the id of the world");
}
