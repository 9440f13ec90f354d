//! Objects that services refer to: secrets, configs and networks of a swarm.

use serde_json::Value;

use super::named;
use crate::swarm::call::{Call, query};
use crate::{Engine, SwarmFault};

impl Engine {
    /// The secrets that match a filter, an array. Their data are never included.
    ///
    /// # Errors
    /// See [`SwarmFault`].
    pub async fn secrets(&self, filter: &[(&str, &str)]) -> Result<Value, SwarmFault> {
        self.swarm_call(Call::get("list secrets", format!("/secrets{}", query(filter, &[])))).await
    }

    /// Makes a secret of `Name`, `Labels` and `Data` (base64, at most 500 KB); the answer has its `ID`.
    ///
    /// # Errors
    /// See [`SwarmFault`]; [`SwarmFault::is_conflict`] if the name is taken.
    pub async fn create_secret(&self, spec: &Value) -> Result<Value, SwarmFault> {
        self.swarm_call(Call::post("create a secret", "/secrets/create".to_owned(), spec)).await
    }

    /// Removes a secret, by its name or its id. A missing one is no error.
    ///
    /// # Errors
    /// See [`SwarmFault`]; [`SwarmFault::Refused`] if a service uses it.
    pub async fn remove_secret(&self, id: &str) -> Result<(), SwarmFault> {
        self.swarm_removal("remove a secret", named("secrets", id, &[])).await
    }

    /// The configs that match a filter, an array.
    ///
    /// # Errors
    /// See [`SwarmFault`].
    pub async fn configs(&self, filter: &[(&str, &str)]) -> Result<Value, SwarmFault> {
        self.swarm_call(Call::get("list configs", format!("/configs{}", query(filter, &[])))).await
    }

    /// Makes a config of `Name`, `Labels` and `Data` (base64, at most 1000 KB); the answer has its `ID`.
    ///
    /// # Errors
    /// See [`SwarmFault`]; [`SwarmFault::is_conflict`] if the name is taken.
    pub async fn create_config(&self, spec: &Value) -> Result<Value, SwarmFault> {
        self.swarm_call(Call::post("create a config", "/configs/create".to_owned(), spec)).await
    }

    /// Removes a config, by its name or its id. A missing one is no error.
    ///
    /// # Errors
    /// See [`SwarmFault`]; [`SwarmFault::Refused`] if a service uses it.
    pub async fn remove_config(&self, id: &str) -> Result<(), SwarmFault> {
        self.swarm_removal("remove a config", named("configs", id, &[])).await
    }

    /// The networks that match a filter, an array. `("scope", "swarm")` selects those of the swarm.
    ///
    /// # Errors
    /// See [`SwarmFault`].
    pub async fn networks(&self, filter: &[(&str, &str)]) -> Result<Value, SwarmFault> {
        self.swarm_call(Call::get("list networks", format!("/networks{}", query(filter, &[])))).await
    }

    /// Makes an overlay network of `Name`, `Labels` and any other fields of the engine's request; the answer has its `Id`.
    /// `Driver` and `CheckDuplicate` are added.
    ///
    /// # Errors
    /// See [`SwarmFault`]; [`SwarmFault::is_conflict`] if the name is taken.
    pub async fn create_overlay(&self, spec: &Value) -> Result<Value, SwarmFault> {
        let mut spec = spec.clone();
        spec["Driver"] = "overlay".into();
        spec["CheckDuplicate"] = true.into();
        self.swarm_call(Call::post("create a network", "/networks/create".to_owned(), &spec)).await
    }

    /// Removes a network of the swarm, by its name or its id. A missing one is no error.
    ///
    /// # Errors
    /// See [`SwarmFault`]; [`SwarmFault::Refused`] or [`SwarmFault::Unknown`] if a task is still in it.
    pub async fn remove_overlay(&self, id: &str) -> Result<(), SwarmFault> {
        self.swarm_removal("remove a network", named("networks", id, &[])).await
    }
}
