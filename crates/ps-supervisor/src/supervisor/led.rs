//! Sends clients to instances of another scheduler, and answers the request when that has been done.

use std::time::Instant;

use super::Supervisor;
use crate::address::Backend;
use crate::control::Message;

impl Supervisor {
    /// Leads clients to these instances, and away from those that were named before and are not any more. It is written down before it
    /// is done.
    ///
    /// # Errors
    /// The app is not listened for, or that cannot be written down. Nothing has changed then.
    pub(crate) fn lead_to(
        &mut self,
        client: u64,
        backends: Vec<Backend>,
        begins: bool,
    ) -> Result<(), String> {
        let none = "the app has no address to which clients could come";
        let wanted = self.means.spec.listen.clone();
        if self.is_ending || wanted.is_empty() {
            return Err(none.to_owned());
        }
        self.listen_beside(&wanted).map_err(|reason| format!("the app is not reached at {reason}"))?;
        if begins {
            self.begin_counting();
        }
        let Some(address) = &mut self.address else { return Err(none.to_owned()) };
        if begins {
            address.led.begin_counting();
        }
        let moved = address.led.take_in(&self.service, backends);
        let moved = moved.map_err(|error| {
            format!("write down where the instances in {} are: {error}", self.service.display())
        })?;
        let now = Instant::now();
        moved.coming.into_iter().for_each(|id| address.table.admit_led(id));
        moved.going.into_iter().for_each(|id| address.table.withdraw_led(id, now));
        address.led.is_counting = false;
        address.led.waiting.insert(client);
        Ok(())
    }

    /// Whoever waits until clients are led as they have asked hears of it, with what it has meant for them.
    pub(super) fn answer_led(&mut self) {
        let is_as_asked = self
            .address
            .as_ref()
            .is_some_and(|address| !address.led.waiting.is_empty() && !address.table.awaits_led());
        if !is_as_asked {
            return;
        }
        if let Some(address) = &mut self.address
            && !std::mem::replace(&mut address.led.is_counting, true)
        {
            self.counts_until = None;
        }
        if self.counts_on() {
            return;
        }
        let Some(address) = &mut self.address else { return };
        let receipt = address.led.is_new().map(|is_new| address.count.receipt(address.unit(), is_new));
        let (late, refused) = (std::mem::take(&mut address.led.late), address.led.refused.take());
        let led = Message::Led { late, refused, receipt };
        for client in std::mem::take(&mut address.led.waiting) {
            self.server.say(client, &led);
        }
    }
}
