//! The order in which plugins start.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

use crate::model::plugin_id::PluginId;

/// What the order depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub id: PluginId,
    /// Higher goes first where dependencies leave a choice.
    pub priority: i64,
    pub depends_on: Vec<PluginId>,
}

/// The order plugins start in; they stop in its reverse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// One after the other: each plugin stands behind all it depends on; where there is a choice, the higher priority
    /// and then the smaller name is first. Members of cycles, and what depends on them, are not in it.
    pub order: Vec<PluginId>,
    /// Each set of plugins that depend on each other in a circle, by name, smallest name first.
    pub cycles: Vec<Vec<PluginId>>,
    /// Plugins that depend, at some distance, on a cycle without being in one.
    pub behind_cycles: Vec<PluginId>,
    /// Dependencies that do not exist. They do not hold the order up; the registry decides what becomes of the plugin.
    pub missing: BTreeMap<PluginId, Vec<PluginId>>,
}

/// Puts `nodes` in order. Ids are expected to be unique; the last of two equal ones counts.
pub fn order(nodes: &[Node]) -> Order {
    let graph = Graph::new(nodes);
    let mut result = Order {
        missing: graph.missing(),
        ..Order::default()
    };
    let mut waiting: Vec<usize> = graph.needs.iter().map(BTreeSet::len).collect();
    let mut ready: BinaryHeap<Ready<'_>> = (0..graph.nodes.len())
        .filter(|n| waiting[*n] == 0)
        .map(|n| graph.ready(n))
        .collect();
    let mut placed = vec![false; graph.nodes.len()];
    while let Some((_, _, Reverse(n))) = ready.pop() {
        placed[n] = true;
        result.order.push(graph.nodes[n].id.clone());
        for &next in &graph.needed_by[n] {
            waiting[next] -= 1;
            if waiting[next] == 0 {
                ready.push(graph.ready(next));
            }
        }
    }
    graph.explain_rest(&placed, &mut result);
    result
}

/// Orders the heap: higher priority, then smaller name. The index only identifies the node.
type Ready<'a> = (i64, Reverse<&'a PluginId>, Reverse<usize>);

struct Graph<'a> {
    nodes: Vec<&'a Node>,
    index: HashMap<&'a PluginId, usize>,
    /// The existing plugins each one depends on.
    needs: Vec<BTreeSet<usize>>,
    needed_by: Vec<BTreeSet<usize>>,
}

impl<'a> Graph<'a> {
    fn new(nodes: &'a [Node]) -> Self {
        let unique: BTreeMap<&PluginId, &Node> =
            nodes.iter().map(|node| (&node.id, node)).collect();
        let nodes: Vec<&Node> = unique.into_values().collect();
        let index: HashMap<&PluginId, usize> = nodes
            .iter()
            .enumerate()
            .map(|(n, node)| (&node.id, n))
            .collect();
        let needs: Vec<BTreeSet<usize>> = nodes
            .iter()
            .map(|node| {
                node.depends_on
                    .iter()
                    .filter_map(|id| index.get(id).copied())
                    .collect()
            })
            .collect();
        let mut needed_by = vec![BTreeSet::new(); nodes.len()];
        for (n, needed) in needs.iter().enumerate() {
            for &m in needed {
                needed_by[m].insert(n);
            }
        }
        Self {
            nodes,
            index,
            needs,
            needed_by,
        }
    }

    fn ready(&self, n: usize) -> Ready<'a> {
        (
            self.nodes[n].priority,
            Reverse(&self.nodes[n].id),
            Reverse(n),
        )
    }

    fn missing(&self) -> BTreeMap<PluginId, Vec<PluginId>> {
        let absent = |id: &&PluginId| !self.index.contains_key(*id);
        self.nodes
            .iter()
            .map(|node| {
                (
                    node.id.clone(),
                    node.depends_on
                        .iter()
                        .filter(absent)
                        .cloned()
                        .collect::<Vec<_>>(),
                )
            })
            .filter(|(_, missing)| !missing.is_empty())
            .collect()
    }

    /// Sorts what could not be placed into cycles and what stands behind them.
    fn explain_rest(&self, placed: &[bool], result: &mut Order) {
        let mut seen = placed.to_vec();
        for n in 0..self.nodes.len() {
            if seen[n] {
                continue;
            }
            let reached = self.reachable(n);
            let members: Vec<usize> = reached
                .iter()
                .copied()
                .filter(|&m| self.reachable(m).contains(&n))
                .collect();
            if members.is_empty() {
                result.behind_cycles.push(self.nodes[n].id.clone());
                continue;
            }
            for &m in &members {
                seen[m] = true;
            }
            result.cycles.push(
                members
                    .into_iter()
                    .map(|m| self.nodes[m].id.clone())
                    .collect(),
            );
        }
    }

    /// Everything `start` depends on at some distance; itself only when it is in a cycle.
    fn reachable(&self, start: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut open = vec![start];
        while let Some(n) = open.pop() {
            open.extend(self.needs[n].iter().copied().filter(|&m| found.insert(m)));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        plugins: Vec<Plugin>,
        order: Option<Vec<PluginId>>,
        error: Option<String>,
        unresolved: BTreeMap<PluginId, Vec<PluginId>>,
        blocked_by: BTreeMap<PluginId, BTreeSet<PluginId>>,
    }

    #[derive(Deserialize)]
    struct Plugin {
        name: PluginId,
        priority: i64,
        depends_on: Vec<PluginId>,
    }

    fn nodes(case: &Case) -> Vec<Node> {
        let node = |p: &Plugin| Node {
            id: p.name.clone(),
            priority: p.priority,
            depends_on: p.depends_on.clone(),
        };
        case.plugins.iter().map(node).collect()
    }

    fn plain(nodes: &[(&str, i64, &[&str])]) -> Vec<Node> {
        let id = |text: &str| text.parse().expect("a valid id");
        let node = |(name, priority, needs): &(&str, i64, &[&str])| Node {
            id: id(name),
            priority: *priority,
            depends_on: needs.iter().map(|need| id(need)).collect(),
        };
        nodes.iter().map(node).collect()
    }

    fn names(ids: &[PluginId]) -> Vec<&str> {
        ids.iter().map(PluginId::as_str).collect()
    }

    #[test]
    fn the_recorded_graphs_come_out_as_recorded() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../tests/vectors/topo.json"))
            .expect("the table is valid");
        assert_eq!(cases.len(), 80);
        for case in cases {
            let found = order(&nodes(&case));
            assert_eq!(found.missing, case.unresolved);
            match case.error.as_deref() {
                None => {
                    assert_eq!(Some(&found.order), case.order.as_ref());
                    assert!(found.cycles.is_empty() && found.behind_cycles.is_empty());
                }
                Some(error) => {
                    assert_eq!(error, "DependencyCycle");
                    let in_cycle: BTreeSet<_> = found.cycles.iter().flatten().collect();
                    let expect: BTreeSet<_> = case
                        .blocked_by
                        .iter()
                        .filter(|(id, blocks)| blocks.contains(*id))
                        .map(|(id, _)| id)
                        .collect();
                    assert_eq!(in_cycle, expect);
                }
            }
            check_places(&case, &found);
        }
    }

    /// Each plugin stands behind all it depends on, and none is lost.
    fn check_places(case: &Case, found: &Order) {
        let place_of: HashMap<&PluginId, usize> = found
            .order
            .iter()
            .enumerate()
            .map(|(n, id)| (id, n))
            .collect();
        assert_eq!(place_of.len(), found.order.len());
        assert_eq!(
            found.order.len() + found.cycles.concat().len() + found.behind_cycles.len(),
            case.plugins.len()
        );
        for plugin in case
            .plugins
            .iter()
            .filter(|p| place_of.contains_key(&p.name))
        {
            for need in plugin
                .depends_on
                .iter()
                .filter(|id| place_of.contains_key(id))
            {
                assert!(place_of[need] < place_of[&plugin.name]);
            }
        }
    }

    #[test]
    fn of_plugins_that_may_start_the_higher_priority_is_first() {
        let found = order(&plain(&[
            ("a", 0, &["c"]),
            ("b", 5, &[]),
            ("c", 0, &[]),
            ("d", 9, &["a", "b"]),
        ]));
        assert_eq!(names(&found.order), ["b", "c", "a", "d"]);
    }

    #[test]
    fn a_cycle_is_named_and_its_dependents_too() {
        let graph = plain(&[
            ("x", 0, &["y"]),
            ("y", 0, &["z"]),
            ("z", 0, &["x"]),
            ("w", 0, &["z"]),
            ("v", 0, &["v"]),
            ("u", 0, &[]),
        ]);
        let found = order(&graph);
        let cycles: Vec<_> = found.cycles.iter().map(|cycle| names(cycle)).collect();
        assert_eq!(cycles, [vec!["v"], vec!["x", "y", "z"]]);
        assert_eq!(names(&found.behind_cycles), ["w"]);
        assert_eq!(names(&found.order), ["u"]);
    }
}
