//! Pulls an image from a registry. The engine pulls, and reports its progress.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::errors::Error as BollardError;
use hyper::Request;
use hyper::body::Bytes;
use registry_logins::Logins;
use serde_json::Value;

use crate::activity::Activity;
use crate::tale::{self, Patience, Tale};
use crate::transport;
use crate::{Engine, Fault, Reference};

const ASKED: &str = "pull an image";
/// The engine itself gives up on a registry, mostly within half a minute; while layers come it reports each
/// of them.
const PATIENCE: Patience = Patience { first: Duration::from_secs(60), next: Duration::from_secs(120) };

/// The progress of a pull.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulled {
    /// The layers that the engine has.
    pub layers: usize,
    /// The number of known layers of the image.
    pub of_layers: usize,
    /// The bytes that were received over the network.
    pub bytes: u64,
    /// The number of bytes known to be needed.
    pub of_bytes: u64,
}

/// The progress of a layer.
#[derive(Default)]
struct Layer {
    bytes: u64,
    of_bytes: u64,
    is_here: bool,
}

impl Engine {
    /// Pulls one image. `hear` gets the progress, each time the engine reports on a layer.
    pub async fn pull(
        &self,
        image: &Reference,
        logins: &Logins,
        mut hear: impl FnMut(Pulled),
    ) -> Result<(), Fault> {
        let path = format!(
            "/images/create?fromImage={}&tag={}",
            tale::encoded(&image.name),
            tale::encoded(image.version())
        );
        let auth = logins.header(image.registry());
        let request = transport::with_auth(Request::post(path), auth.as_deref());
        let request = request.body(bollard::body_full(Bytes::new()));
        let request = request.map_err(|error| Fault::of(&self.socket, ASKED, BollardError::from(error)))?;
        let mut layers = BTreeMap::new();
        let tale =
            Tale { socket: &self.socket, asked: ASKED, patience: PATIENCE, activity: Activity::default() };
        tale.listen(request, |object| {
            if take(&mut layers, object) {
                hear(sum(&layers));
            }
        })
        .await
    }
}

/// Takes an object of the engine's progress report; `false` if it is not about a layer.
fn take(layers: &mut BTreeMap<String, Layer>, object: &Value) -> bool {
    let (Some(id), Some(status)) = (object["id"].as_str(), object["status"].as_str()) else { return false };
    if status.starts_with("Pulling from") {
        return false;
    }
    let layer = layers.entry(id.to_owned()).or_default();
    let number = |key: &str| object["progressDetail"][key].as_u64();
    match status {
        "Downloading" => {
            layer.bytes = number("current").unwrap_or(layer.bytes);
            layer.of_bytes = number("total").unwrap_or(layer.of_bytes);
        }
        "Download complete" => layer.bytes = layer.of_bytes,
        "Pull complete" | "Already exists" => {
            layer.bytes = layer.of_bytes;
            layer.is_here = true;
        }
        _ => {}
    }
    true
}

fn sum(layers: &BTreeMap<String, Layer>) -> Pulled {
    Pulled {
        layers: layers.values().filter(|layer| layer.is_here).count(),
        of_layers: layers.len(),
        bytes: layers.values().map(|layer| layer.bytes).sum(),
        of_bytes: layers.values().map(|layer| layer.of_bytes).sum(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_told_of_layers_adds_up() {
        let mut layers = BTreeMap::new();
        assert!(!take(&mut layers, &json!({"status": "Pulling from shop", "id": "latest"})));
        for object in [
            json!({"status": "Pulling fs layer", "id": "a"}),
            json!({"status": "Already exists", "id": "b"}),
            json!({"status": "Downloading", "id": "a", "progressDetail": {"current": 3, "total": 9}}),
        ] {
            assert!(take(&mut layers, &object));
        }
        assert_eq!(sum(&layers), Pulled { layers: 1, of_layers: 2, bytes: 3, of_bytes: 9 });
        take(&mut layers, &json!({"status": "Pull complete", "id": "a"}));
        assert_eq!(sum(&layers), Pulled { layers: 2, of_layers: 2, bytes: 9, of_bytes: 9 });
        assert!(!take(&mut layers, &json!({"status": "Digest: sha256:00"})));
    }
}
