//! Who owns which partition of a queue. Pure, so that all who know the same members say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use md5::{Digest, Md5};

/// Which of so many partitions each of these members owns: as many as every other one, or one more.
/// Whoever comes or goes moves few of them (highest random weight, Thaler and Ravishankar 1998,
/// with a limit on what each member takes). Without members nobody owns any.
pub fn shares<'a>(
    partitions: NonZeroU32,
    members: &BTreeSet<&'a str>,
) -> BTreeMap<&'a str, BTreeSet<u32>> {
    let mut shares: BTreeMap<&str, BTreeSet<u32>> =
        members.iter().map(|member| (*member, BTreeSet::new())).collect();
    let Some(members_count) = NonZeroU32::new(u32::try_from(members.len()).unwrap_or(u32::MAX))
    else {
        return shares;
    };
    let (each, mut more) = (partitions.get() / members_count, partitions.get() % members_count);
    let weighed =
        |number| members.iter().map(move |member| (weight(member, number), number, *member));
    let mut pairs: Vec<_> = (0..partitions.get()).flat_map(weighed).collect();
    pairs.sort_unstable_by(|one, other| other.cmp(one));
    let mut free: BTreeSet<u32> = (0..partitions.get()).collect();
    for (_, number, member) in pairs {
        let Some(share) = shares.get_mut(member) else { continue };
        let has = u32::try_from(share.len()).unwrap_or(u32::MAX);
        let takes_one_more = has == each && more > 0;
        if (has < each || takes_one_more) && free.remove(&number) {
            share.insert(number);
            more -= u32::from(takes_one_more);
        }
    }
    shares
}

fn weight(member: &str, number: u32) -> u64 {
    let digest = Md5::digest(format!("{number}/{member}").as_bytes());
    let (first, _) = digest.split_at(8);
    first.iter().fold(0, |weight, byte| weight << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn owners(partitions: u32, names: &BTreeSet<String>) -> BTreeMap<u32, String> {
        let members = names.iter().map(String::as_str).collect();
        let partitions = NonZeroU32::new(partitions).expect("above zero");
        let shares = shares(partitions, &members);
        let owned = |(member, share): (&str, BTreeSet<u32>)| {
            share.into_iter().map(|number| (number, member.to_owned())).collect::<Vec<_>>()
        };
        shares.into_iter().flat_map(owned).collect()
    }

    proptest! {
        #[test]
        fn each_partition_has_one_owner_and_each_member_its_share(
            partitions in 1_u32..80,
            names in proptest::collection::btree_set("[a-z]{1,6}", 1..12),
        ) {
            let owners = owners(partitions, &names);
            prop_assert_eq!(owners.len() as u32, partitions);
            let owned = |name| owners.values().filter(|owner| *owner == name).count();
            let each = partitions / names.len() as u32;
            for name in &names {
                let owned = owned(name) as u32;
                prop_assert!((each..=each + 1).contains(&owned), "{name} {owned}");
            }
        }

        #[test]
        fn whoever_goes_leaves_most_of_the_others_where_they_are(
            names in proptest::collection::btree_set("[a-z]{4,8}", 3..9),
        ) {
            let before = owners(64, &names);
            let mut left = names.clone();
            let gone = left.pop_first().expect("some");
            let after = owners(64, &left);
            let moved = before.iter().filter(|(number, owner)| {
                **owner != gone && after.get(*number) != Some(*owner)
            });
            // A limit on each share moves some more than those of whoever is gone.
            prop_assert!(moved.count() <= 64 / 3);
        }
    }

    #[test]
    fn without_members_nobody_owns_any() {
        assert!(owners(8, &BTreeSet::new()).is_empty());
    }
}
