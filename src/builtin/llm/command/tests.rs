//! What is let through, as it is run; and what is refused, with the words that say why.

use proptest::prelude::*;

use super::*;

fn rules(namespaces: &[&str]) -> Rules {
    Rules {
        namespaces: namespaces.iter().map(|name| (*name).to_owned()).collect(),
        namespace: None,
        max_replicas: 50,
        may_change: true,
    }
}

fn read(text: &str) -> Result<Command, String> {
    Command::read(text, None, &rules(&[]))
}

#[track_caller]
fn check(text: &str, effect: Effect, expect: &str) {
    let command = read(text).unwrap_or_else(|why| panic!("{text}: {why}"));
    assert_eq!(
        line::line_of(command.arguments(None).iter().map(String::as_str)),
        expect
    );
    assert_eq!(command.effect(), effect, "{text}");
}

#[track_caller]
fn refused(text: &str, part: &str) {
    match read(text) {
        Ok(command) => panic!("{text}: {command:?}"),
        Err(why) => assert!(why.contains(part), "{text}: {why}"),
    }
}

#[test]
fn what_only_looks_is_let_through_and_written_anew() {
    for (text, expect) in [
        ("kubectl get pods", "get pods"),
        ("kubectl get pods -A", "get pods --all-namespaces"),
        ("kubectl -n shop get pods", "--namespace=shop get pods"),
        (
            "kubectl --namespace=shop get pods web-0",
            "--namespace=shop get pods web-0",
        ),
        (
            "kubectl get pod/web-0 -nshop -owide",
            "--namespace=shop get pod/web-0 --output=wide",
        ),
        (
            "kubectl get po,svc -l app=web --show-labels",
            "get po,svc --selector=app=web --show-labels",
        ),
        ("kubectl get nodes -o=json", "get nodes --output=json"),
        (
            "kubectl get po -o jsonpath='{.items[*].metadata.name}'",
            "get po '--output=jsonpath={.items[*].metadata.name}'",
        ),
        ("kubectl get secrets", "get secrets"),
        ("kubectl get secret/x -o name", "get secret/x --output=name"),
        (
            "kubectl get pods secrets -o yaml",
            "get pods secrets --output=yaml",
        ),
        ("kubectl describe secret x", "describe secret x"),
        ("kubectl describe node n1", "describe node n1"),
        ("kubectl logs web-0", "logs web-0 --tail=1000"),
        (
            "kubectl logs deploy/web -c app -p --since=5m",
            "logs deploy/web --container=app --previous --since=5m",
        ),
        (
            "kubectl logs -l app=web --tail 5",
            "logs --selector=app=web --tail=5",
        ),
        ("kubectl top pod --containers", "top pod --containers"),
        ("kubectl -n x top nodes", "top nodes"),
        ("kubectl events --for pod/web-0", "events --for=pod/web-0"),
        (
            "kubectl explain pods.spec --recursive",
            "explain pods.spec --recursive",
        ),
        ("kubectl api-resources", "api-resources"),
        ("kubectl version -o yaml", "version --output=yaml"),
        (
            "kubectl rollout status deploy/web",
            "rollout status deploy/web --watch=false",
        ),
        (
            "kubectl rollout history deploy web",
            "rollout history deploy web",
        ),
    ] {
        check(text, Effect::Diagnostic, expect);
    }
}

#[test]
fn what_changes_things_is_known_as_such() {
    for (text, expect) in [
        ("kubectl delete pod web-0", "delete pod web-0 --wait=false"),
        (
            "kubectl delete pod/a pod/b --wait",
            "delete pod/a pod/b --wait",
        ),
        (
            "kubectl delete po a --dry-run=server --now",
            "delete po a --dry-run=server --now --wait=false",
        ),
        (
            "kubectl scale deploy/web --replicas=3",
            "scale deploy/web --replicas=3",
        ),
        (
            "kubectl scale --replicas 0 sts web -n shop",
            "--namespace=shop scale sts web --replicas=0",
        ),
        (
            "kubectl rollout restart deployment/web",
            "rollout restart deployment/web",
        ),
        (
            "kubectl rollout undo deploy web --to-revision=2",
            "rollout undo deploy web --to-revision=2",
        ),
        (
            "kubectl rollout pause deploy/web",
            "rollout pause deploy/web",
        ),
        (
            "kubectl rollout resume deploy/web",
            "rollout resume deploy/web",
        ),
        ("kubectl cordon n1", "cordon n1"),
        ("kubectl uncordon n1", "uncordon n1"),
    ] {
        check(text, Effect::Remediation, expect);
    }
}

#[test]
fn verbs_that_are_not_let_through_say_why() {
    for verb in [
        "apply",
        "create",
        "edit",
        "patch",
        "replace",
        "run",
        "set",
        "label",
        "annotate",
        "taint",
        "expose",
        "autoscale",
        "exec",
        "attach",
        "cp",
        "port-forward",
        "proxy",
        "debug",
        "drain",
        "auth",
        "certificate",
        "config",
        "plugin",
        "kustomize",
        "diff",
        "wait",
        "cluster-info",
        "unheard-of",
        "Get",
    ] {
        refused(
            &format!("kubectl {verb} x"),
            &format!("`kubectl {verb}` is refused: "),
        );
    }
    refused("kubectl", "no verb stands behind");
    refused("kubectl rollout", "is not let through");
    refused("helm list", "begins with `helm`");
    refused(
        "/usr/bin/kubectl get pods",
        "begins with `/usr/bin/kubectl`",
    );
    refused("sudo kubectl get pods", "begins with `sudo`");
    refused(
        "KUBECONFIG=/x kubectl get pods",
        "`KUBECONFIG=/x` would set a variable",
    );
    refused("kubectl get pods | sh", "`|` at character 18");
}

#[test]
fn flags_that_lead_elsewhere_are_refused() {
    for flag in [
        "--kubeconfig=/x",
        "--context=b",
        "--cluster=b",
        "--user=b",
        "--server=http://x",
        "-s x",
        "--token=t",
        "--username=u",
        "--password=p",
        "--insecure-skip-tls-verify",
        "--client-key=/x",
        "--certificate-authority=/x",
    ] {
        refused(
            &format!("kubectl get pods {flag}"),
            "stands in the plugin's settings",
        );
        refused(
            &format!("kubectl {flag} get pods"),
            "stands in the plugin's settings",
        );
    }
    for (text, part) in [
        ("kubectl get pods --as=root", "nobody is impersonated"),
        ("kubectl get pods --as-group=x", "nobody is impersonated"),
        ("kubectl get -f http://x/y", "no files are read"),
        ("kubectl delete -f x.yaml", "no files are read"),
        ("kubectl delete --filename=x.yaml", "no files are read"),
        ("kubectl get -k .", "no files are read"),
        ("kubectl get pods -R", "no files are read"),
        ("kubectl get pods --template=x", "no files are read"),
        ("kubectl get pods -w", "it would not end"),
        ("kubectl get pods --watch", "it would not end"),
        ("kubectl get pods -Aw", "`-w` is refused"),
        ("kubectl logs x -f", "it stands for `--follow`"),
        ("kubectl logs x --follow", "it would not end"),
        ("kubectl logs x -pf", "`-f` is refused"),
        ("kubectl rollout status deploy/x -w", "it would not end"),
        ("kubectl get --raw /api", "not asked for by hand"),
        (
            "kubectl get pods --cache-dir=/x",
            "show credentials or write files",
        ),
        (
            "kubectl get pods --profile=cpu",
            "show credentials or write files",
        ),
        ("kubectl get pods -v=9", "show credentials or write files"),
        ("kubectl get pods --unknown", "not among those"),
        ("kubectl get pods --all_namespaces", "not among those"),
        ("kubectl get pods --out=json", "not among those"),
        ("kubectl get pods -- x", "`--` would have"),
        ("kubectl get pods -", "`-` stands for"),
        (
            "kubectl get pods -o go-template-file=/x",
            "write one of json, yaml",
        ),
        (
            "kubectl get pods -o jsonpath-file=/x",
            "write one of json, yaml",
        ),
        (
            "kubectl get pods -o custom-columns-file=/x",
            "write one of json, yaml",
        ),
        (
            "kubectl get pods -o go-template=x",
            "write one of json, yaml",
        ),
        (
            "kubectl get service x --subresource=proxy",
            "write one of status, scale",
        ),
        ("kubectl events -o jsonpath=x", "write one of json, yaml"),
        ("kubectl get pods -o", "`-o` needs a value"),
        ("kubectl get pods --output", "`--output` needs a value"),
        (
            "kubectl get pods -o json -o yaml",
            "`--output` stands there twice",
        ),
        (
            "kubectl -n a get pods -n b",
            "`--namespace` stands there twice",
        ),
        (
            "kubectl -n a -n b get pods",
            "`--namespace` stands there twice",
        ),
        ("kubectl get pods -A=x", "`-A` has no value"),
        ("kubectl get pods --show-labels=1", "is `true` or `false`"),
        ("kubectl logs x --tail=-1", "no number of lines"),
    ] {
        refused(text, part);
    }
}

#[test]
fn what_is_in_secrets_is_not_shown() {
    for objects in [
        "secrets",
        "Secret",
        "secrets.v1.",
        "pods,secrets",
        "secret/x",
        "pod/y secret/x",
    ] {
        for more in [
            "-o yaml",
            "-ojson",
            "-o jsonpath=x",
            "-o custom-columns=x",
            "--sort-by=x",
        ] {
            refused(
                &format!("kubectl get {objects} {more}"),
                "what is in secrets is not shown",
            );
        }
    }
}

#[test]
fn nothing_is_changed_that_is_not_named() {
    for (text, part) in [
        ("kubectl delete pods", "without a name it would take all"),
        ("kubectl delete pods --all", "take all there are"),
        ("kubectl delete pod x -A", "in every namespace"),
        (
            "kubectl delete pods -l app=web",
            "may fit more than was meant",
        ),
        (
            "kubectl delete pods --field-selector=a=b",
            "may fit more than was meant",
        ),
        ("kubectl delete pod/", "needs the name of each thing"),
        ("kubectl delete pod/a b", "`b` is refused"),
        (
            "kubectl delete pods,services a",
            "`pods,services` is refused",
        ),
        ("kubectl delete pods.v1. a", "`pods.v1.` is refused"),
        ("kubectl delete ns shop", "`ns` is refused"),
        ("kubectl delete namespace/shop", "`namespace` is refused"),
        ("kubectl delete node n1", "`node` is refused"),
        ("kubectl delete pvc data", "`pvc` is refused"),
        ("kubectl delete secret x", "`secret` is refused"),
        ("kubectl delete crd x", "`crd` is refused"),
        ("kubectl delete pod x --force", "may still run"),
        ("kubectl delete pod x --cascade", "behind an `=`"),
        (
            "kubectl delete pod x --cascade=all",
            "write one of background",
        ),
        ("kubectl delete pod x --dry-run", "behind an `=`"),
        ("kubectl delete pod x --dry-run=none", "write one of client"),
        ("kubectl delete pod x --grace-period=-1", "is no number"),
        ("kubectl delete pod http://x", "neither a type nor a name"),
        ("kubectl delete pod '../x'", "neither a type nor a name"),
        ("kubectl delete pod 'a b'", "neither a type nor a name"),
        ("kubectl scale deploy/web", "needs `--replicas=N`"),
        ("kubectl scale deploy --replicas=0", "without a name"),
        (
            "kubectl scale deploy --all --replicas=0",
            "take all there are",
        ),
        ("kubectl scale deploy/web --replicas=51", "50 are the most"),
        ("kubectl scale deploy/web --replicas=-1", "is no number"),
        (
            "kubectl delete pod x '--timeout=1s\u{202e}x'",
            "letters, digits",
        ),
        ("kubectl scale pod/x --replicas=1", "`pod` is refused"),
        ("kubectl rollout restart deployment", "without a name"),
        ("kubectl rollout restart deployment -l a=b", "may fit more"),
        ("kubectl rollout undo pod/x", "`pod` is refused"),
        ("kubectl cordon", "needs a node"),
        ("kubectl cordon a b", "one node by its bare name"),
        ("kubectl cordon -l a=b", "may fit more"),
        ("kubectl logs", "needs a pod"),
        ("kubectl top", "about `pod` or `node`"),
    ] {
        refused(text, part);
    }
    let many: Vec<String> = (0..21).map(|number| format!("web-{number}")).collect();
    refused(
        &format!("kubectl delete pod {}", many.join(" ")),
        "20 are the most",
    );
}

#[test]
fn the_operator_says_which_namespaces() {
    let rules = rules(&["shop", "blog"]);
    let arguments = |text: &str, usual| {
        let command = Command::read(text, usual, &rules)?;
        Ok::<_, String>(command.arguments(Some("prod")).join(" "))
    };
    let fine = |text, usual| arguments(text, usual).expect(text);
    assert_eq!(
        fine("kubectl get pods", None),
        "--context=prod --namespace=shop get pods"
    );
    assert_eq!(
        fine("kubectl get pods", Some("blog")),
        "--context=prod --namespace=blog get pods"
    );
    assert_eq!(
        fine("kubectl get pods -n blog", None),
        "--context=prod --namespace=blog get pods"
    );
    assert_eq!(fine("kubectl version", None), "--context=prod version");
    for (text, usual, part) in [
        (
            "kubectl get pods -n kube-system",
            None,
            "allows: shop, blog",
        ),
        (
            "kubectl delete pod x -n kube-system",
            None,
            "allows: shop, blog",
        ),
        (
            "kubectl get pods",
            Some("kube-system"),
            "allows: shop, blog",
        ),
        ("kubectl get pods -A", None, "more than the operator allows"),
        (
            "kubectl get pods -n 'shop,blog'",
            None,
            "no name of a namespace",
        ),
        ("kubectl get pods -n ''", None, "no name of a namespace"),
        ("kubectl get pods -n=-A", None, "no name of a namespace"),
    ] {
        let error = arguments(text, usual).expect_err(text);
        assert!(error.contains(part), "{text}: {error}");
    }
}

proptest! {
    /// Whatever is let through is written so that it is read again as the same, and its flags are among those of its verb.
    #[test]
    fn what_is_let_through_says_the_same_when_it_is_read_again(
        words in prop::collection::vec(
            "kubectl|get|delete|logs|scale|top|rollout|undo|pods?|deploy/web|x|-n|-o|-A|-l|a=b|json|--|-|--replicas=3|--tail=5|-né|'[*]'|\"é\"|-[a-zA-Z]{1,3}|--[a-z-]{1,9}(=[a-z0-9/]{0,4})?|.{0,5}",
            0..8,
        ),
    ) {
        let text = format!("kubectl {}", words.join(" "));
        if let Ok(command) = read(&text) {
            let line = line::line_of(["kubectl"].into_iter().chain(command.arguments(None).iter().map(String::as_str)));
            let mut again = read(&line).expect("it was let through");
            // What was put in the first time stands there now.
            again.flags.retain(|(name, _)| *name != "watch");
            let mut first = command;
            first.flags.retain(|(name, _)| *name != "watch");
            prop_assert_eq!(&first, &again, "{}", line);
        }
    }
}
