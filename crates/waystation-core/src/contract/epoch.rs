//! Which stage runs go on with each other's work.
//!
//! A dead letter that is tried again is a new stage run, so that no attempt of the old one is
//! taken for one of the new; but its steps are those of the run that failed. The contract says so
//! in `epoch`, `{"visit": 5, "first_visit": 3}`: stage run 5 goes on where 3 stood. Any later run
//! of the job has another number, so that the field says nothing of it, and nobody needs to take
//! it out.

use serde_json::{Value, json};

use super::Contract;

const FIELD: &str = "epoch";

impl Contract {
    /// The first of the stage runs that the present one goes on with: itself, unless a person had
    /// the job tried again.
    pub fn first_visit(&self) -> u32 {
        let number = |name: &str| -> Option<u32> {
            self.other.get(FIELD)?.get(name)?.as_u64()?.try_into().ok()
        };
        match (number("visit"), number("first_visit")) {
            (Some(visit), Some(first)) if visit == self.visit && first <= visit => first,
            _ => self.visit,
        }
    }

    /// Makes of it a new stage run that goes on with the present one's work: a new epoch of
    /// attempts.
    pub fn open_epoch(&mut self) {
        let first = self.first_visit();
        self.retry_count = 0;
        self.visit += 1;
        let epoch: Value = json!({ "visit": self.visit, "first_visit": first });
        self.other.insert(FIELD.to_owned(), epoch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Params;

    #[test]
    fn epochs_go_on_with_the_first_run_until_the_job_goes_on() {
        let mut contract = Contract::new("j".into(), Params::new());
        contract.visit = 3;
        assert_eq!(contract.first_visit(), 3);
        for visit in 4..7 {
            contract.open_epoch();
            let read = Contract::parse(&contract.to_bytes()).expect("a contract");
            assert_eq!((read.visit, read.first_visit(), read.retry_count), (visit, 3, 0));
        }
        contract.visit += 1;
        assert_eq!(contract.first_visit(), 7, "another stage run begins with nothing");
        contract.open_epoch();
        assert_eq!((contract.visit, contract.first_visit()), (8, 7));
    }

    #[test]
    fn what_others_wrote_there_is_no_epoch() {
        for other in [json!(7), json!({}), json!({ "visit": 1, "first_visit": 2 })] {
            let mut contract = Contract::new("j".into(), Params::new());
            contract.other.insert(FIELD.to_owned(), other);
            assert_eq!(contract.first_visit(), 1);
        }
    }
}
