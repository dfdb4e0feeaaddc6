//! What is declared, looked for and taken away.

use std::num::NonZeroU16;
use std::time::Duration;

use waystation_rabbitmq::dp3::Lane;
use waystation_rabbitmq::dp3::topology::{Declared, Error, Missing, Options};

use super::place::{Place, task};

const SOON: Duration = Duration::from_millis(10);

#[tokio::test]
async fn declaring_twice_is_declaring_once() {
    let place = Place::bare(2).await;
    for _ in 0..2 {
        let declared = place.topology().declare(place.workers, &Options::default()).await;
        assert_eq!(declared.expect("declared"), Declared { exchanges: 4, queues: 9 });
    }
    place.topology().check(place.workers, &[]).await.expect("all of it is there");
    let otherwise = Options { lane_limit: 10.try_into().expect("above zero") };
    let error = place.topology().declare(place.workers, &otherwise).await.expect_err("too late");
    assert!(matches!(error, Error::Otherwise { .. }), "{error:?}");
    assert!(error.to_string().contains("worker-0` is there with other settings"), "{error}");
}

#[tokio::test]
async fn what_is_not_declared_is_told_by_name_and_waited_for() {
    let place = Place::bare(1).await;
    let error = place.topology().check(place.workers, &[SOON; 2]).await.expect_err("nothing");
    let Error::NotDeclared { missing, .. } = &error else { panic!("{error:?}") };
    assert_eq!(missing.len(), 8);
    assert_eq!(missing[0], Missing::Exchange(format!("{}-main-task-exchange", place.app)));
    assert_eq!(missing[4], Missing::Queue(format!("{}-worker-0", place.app)));
    assert!(error.to_string().contains("hint: `waystation dp3 declare"), "{error}");
    // Somebody declares it meanwhile.
    let topology = place.topology();
    let delays = [Duration::from_millis(100); 50];
    let check = topology.check(place.workers, &delays);
    let (checked, ()) = tokio::join!(check, place.declare(10));
    checked.expect("it is there by now");
    let two = NonZeroU16::new(2).expect("above zero");
    let error = place.topology().check(two, &[]).await.expect_err("one worker is not there");
    assert!(matches!(&error, Error::NotDeclared { missing, .. } if missing.len() == 4));
}

#[tokio::test]
async fn nothing_that_somebody_wants_is_taken_away_unless_it_is_forced() {
    let place = Place::new(3).await;
    let writer = place.writer(Duration::from_secs(5));
    writer.broadcast(&task(1), Lane::Normal).await.expect("all get it");
    let error = place.topology().delete(0, false).await.expect_err("there are tasks");
    let Error::Busy { busy } = &error else { panic!("{error:?}") };
    assert_eq!((busy.len(), busy[0].messages), (3, 1));
    assert!(error.to_string().contains("is in use (messages: 1, consumers: 0)"), "{error}");
    assert_eq!(place.count("worker-2").await, 1);
    let removed = place.topology().delete(0, true).await.expect("forced");
    assert_eq!((removed.queues.len(), removed.messages), (13, 3));
    let error = place.topology().check(place.workers, &[]).await.expect_err("all is gone");
    let Error::NotDeclared { missing, .. } = &error else { panic!("{error:?}") };
    assert_eq!(missing.len(), 16, "the exchanges that DP3's script leaves, too");
    let again = place.topology().delete(0, false).await.expect("nothing is left to do");
    assert_eq!(again.queues.len(), 0);
}
