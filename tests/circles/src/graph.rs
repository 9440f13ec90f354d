//! Who imports whom, and the circles in it.

use std::collections::{BTreeMap, BTreeSet};

/// For each node the nodes that it imports, and for each of those the names that it takes.
pub(crate) type Graph = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// The largest sets of nodes in which each reaches each other.
pub(crate) fn circles(graph: &Graph) -> BTreeSet<BTreeSet<String>> {
    let reach: BTreeMap<&String, BTreeSet<String>> =
        graph.keys().map(|node| (node, reached(graph, node))).collect();
    let together = |node: &String| {
        let back = |other: &&String| reach.get(other).is_some_and(|its| its.contains(node));
        reach[node].iter().filter(back).cloned().collect::<BTreeSet<_>>()
    };
    graph.keys().map(together).filter(|circle| circle.len() > 1).collect()
}

fn reached(graph: &Graph, from: &str) -> BTreeSet<String> {
    let (mut seen, mut left) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(node) = left.pop() {
        for next in graph.get(&node).into_iter().flat_map(BTreeMap::keys) {
            if seen.insert(next.clone()) {
                left.push(next.clone());
            }
        }
    }
    seen
}
