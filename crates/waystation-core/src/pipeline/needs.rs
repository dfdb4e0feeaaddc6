//! What a pipeline asks of the queue that it runs on, held against what the queue can do.

use super::{Pipeline, Problem};
use crate::port::Capabilities;
use crate::retry::Backoff;

impl Pipeline {
    /// Everything that this pipeline needs and a queue with these capabilities lacks. Asked
    /// before the pipeline runs, so that nothing is ever silently done without.
    pub fn unmet(&self, capabilities: &Capabilities) -> Vec<Problem> {
        let mut problems = Vec::new();
        for stage in &self.stages {
            let waits = stage.retry.max_retries > 0 && stage.retry.backoff != Backoff::None;
            if waits && !capabilities.delay {
                let message = format!(
                    "stage `{}` retries after a delay, which this queue cannot do",
                    stage.id
                );
                let hint = "`retry: { backoff: none }` retries at once";
                problems.push(Problem::new(message).hint(hint));
            }
            if stage.key.is_some() && !capabilities.keys {
                let message = format!(
                    "stage `{}` takes jobs by key in order, which this queue cannot do",
                    stage.id
                );
                let hint = "all queues can but RabbitMQ with `declare=passive`";
                problems.push(Problem::new(message).hint(hint));
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::Expression;
    use crate::pipeline::{Keyed, Stage};
    use crate::retry::RetryPolicy;

    const CAN_ALL: Capabilities = Capabilities {
        delay: true,
        priority: true,
        keys: true,
        partitions: false,
        atomic_settlement: true,
        durable: true,
        payload_bytes_max: 1,
    };

    #[test]
    fn keys_need_a_queue_that_keeps_order() {
        let mut capabilities = CAN_ALL;
        let by = Expression::parse("device").expect("CEL");
        let keyed = Stage { key: Some(Keyed::by(by)), ..Stage::new("apply", "pass") };
        let pipeline = Pipeline::chain("p", vec![keyed, Stage::new("after", "pass")]);
        assert_eq!(pipeline.unmet(&capabilities), []);
        capabilities.keys = false;
        let problems = pipeline.unmet(&capabilities);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].message.starts_with("stage `apply` takes jobs by key in order"));
    }

    #[test]
    fn delays_need_a_queue_that_can_delay() {
        let mut capabilities = CAN_ALL;
        let at_once = RetryPolicy { backoff: Backoff::None, ..RetryPolicy::default() };
        let quick = Stage { retry: at_once, ..Stage::new("quick", "pass") };
        let pipeline = Pipeline::chain("p", vec![quick, Stage::new("patient", "pass")]);
        assert_eq!(pipeline.unmet(&capabilities), []);
        capabilities.delay = false;
        let problems = pipeline.unmet(&capabilities);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].message.starts_with("stage `patient` retries after a delay"));
    }
}
