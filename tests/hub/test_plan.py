import json
import shutil

import pytest

from ascii_maze.errors import UsageError
from ascii_maze.hub import plan_push
from ascii_maze.hub.local_paths import without_local_paths
from ascii_maze.hub.secrets import find_secret, without_secrets

REPO = "org/ascii-maze"
LONG = "aB3" * 20
# Put together here, so that no scanner takes this file for a leak.
SECRETS = {
    "Hugging Face token": "hf_" + LONG[:34],
    "AWS access key": "AKIA" + "ABCDEFGH23456777",
    "temporary AWS access key": "ASIA" + "ABCDEFGH23456777",
    "API key": "sk-" + "proj-" + LONG,
    "GitHub token": "ghp_" + LONG[:36],
    "fine-grained GitHub token": "github_pat_" + LONG + "_x",
    "private key": "-----BEGIN " + "RSA PRIVATE KEY-----",
}
HARMLESS = [
    "<pad> token [/INST] </s>",
    "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "hf_hub_download(repo_id) hf_transfer hf_xet",
    "sk-toggleable__content sk-estimator-doc-link-and-more-of-a-class-name",
    "task-0123456789012345678901234567890123456789",
    "xAKIAABCDEFGH23456777 AKIAABCDEFGH234567779",
    "-----BEGIN PUBLIC KEY----- -----BEGIN CERTIFICATE-----",
    "base64url AAhf_" + LONG,
]


@pytest.mark.parametrize(("name", "secret"), SECRETS.items())
@pytest.mark.parametrize("before", ["", "key: ", '{"a": "', "text\\n", "token%3D", "a\n\n"])
def test_credentials_are_found_with_their_line(tmp_path, name, secret, before):
    (tmp_path / "file").write_bytes(b"\xff\x00\n" + f"{before}{secret}\n".encode())
    assert find_secret(tmp_path / "file") == (name, 2 + before.count("\n"))
    assert secret not in without_secrets(f"the Hub said {secret}.")


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_one_is_none(text):
    assert find_secret(text.encode()) is None


def test_an_empty_file_holds_none(tmp_path):
    (tmp_path / "file").touch()
    assert find_secret(tmp_path / "file") is None


@pytest.fixture
def built(builds, tmp_path):
    """A build that a test may spoil."""
    return shutil.copytree(builds.first, tmp_path / "ascii-maze")


def test_a_dataset_goes_whole_and_what_else_lies_there_stays(built):
    before = set(plan_push("dataset", built, REPO).contents)
    for name in (".env", ".DS_Store", "notes.txt", "optimizer.pt", "rows.pkl", ".cache/rows.json", "mazes/.part.json"):
        (built / name).parent.mkdir(exist_ok=True)
        (built / name).write_text("x")
    (built / "deep" / "er").mkdir(parents=True)
    (built / "deep" / "er" / "notes.json").write_text("{}")
    plan = plan_push("dataset", built, REPO)
    record = json.loads((built / "build.json").read_text())
    assert set(plan.contents) == before >= {"README.md", "build.json", *record["files"]}
    assert plan.left_out == sorted(
        [".DS_Store", ".cache/", ".env", "deep/", "mazes/.part.json", "notes.txt", "optimizer.pt", "rows.pkl"]
    )
    assert plan.private
    assert not plan_push("dataset", built, REPO, public=True).private
    assert plan.card["license"] == "apache-2.0"


def test_an_adapter_goes_without_what_training_needed(adapter):
    plan = plan_push("adapter", adapter, "org/sft", base_model="org/tiny")
    assert set(plan.contents) == {
        "README.md", "adapter_config.json", "adapter_model.safetensors", "metrics.json", "recipe.yaml"
    }  # fmt: skip
    assert plan.left_out == [
        ".env", "checkpoint-4/", "link.json", "optimizer.pt", "optimizer.safetensors", "trainer_state.json",
        "training_args.bin", "x.pkl",
    ]  # fmt: skip
    assert plan.card["base_model"] == "org/tiny"
    assert plan.card["base_model_relation"] == "adapter"


@pytest.mark.parametrize("base", ["tiny", "/home/ann/models/base", "../base", "here"])
def test_an_adapter_of_a_local_base_must_name_one_on_the_hub(adapter, base, monkeypatch):
    monkeypatch.chdir(adapter.parent)
    (adapter.parent / "here").mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
    with pytest.raises(UsageError, match="publish that and name it: --base-model ORG/NAME"):
        plan_push("adapter", adapter, "org/sft")
    with pytest.raises(UsageError, match=r"'\./here' is not a model on the Hub"):
        plan_push("adapter", adapter, "org/sft", base_model="./here")
    (adapter / "README.md").write_text("---\ntags: [\n---\n")
    with pytest.raises(UsageError, match=r"README.md: its metadata is not valid"):
        plan_push("adapter", adapter, "org/sft", base_model="org/tiny")


def test_an_adapter_of_a_model_on_the_hub_needs_no_word(adapter):
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "Qwen/Qwen3-0.6B"}))
    assert plan_push("adapter", adapter, "org/sft").card["base_model"] == "Qwen/Qwen3-0.6B"


def spoil_card(old, new):
    return lambda folder: (folder / "README.md").write_text((folder / "README.md").read_text().replace(old, new))


def link(path):
    """Put a link to the file in its place: what lies outside a folder is not sent."""
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def append(pattern, text):
    def spoil(folder):
        with next(folder.glob(pattern)).open("a") as file:
            file.write(text)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / ".unfinished").touch(), "is not finished; run the `ascii-maze build` that began it"),
        (lambda folder: (folder / "build.json").unlink(), "not a finished dataset, it lacks build.json"),
        (lambda folder: (folder / "README.md").unlink(), "not a finished dataset, it lacks README.md"),
        (lambda folder: (folder / "build.json").write_text("{"), "build.json is not JSON"),
        (lambda folder: (folder / "build.json").write_text("[]"), "build.json is not an object"),
        (lambda folder: (folder / "build.json").write_text("{}"), "build.json has no 'files'"),
        (lambda folder: link(folder / "README.md"), "not a finished dataset, it lacks README.md"),
        (lambda folder: next((folder / "mazes").glob("train-*")).unlink(), r"mazes/train-\S+ is missing, although"),
        (append("mazes/train-*", "x"), r"mazes/train-\S+ has changed since it was built"),
        (
            lambda folder: shutil.copy(next((folder / "mazes").glob("train-*")), folder / "mazes" / "more.parquet"),
            "mazes/more.parquet is not part of this build",
        ),
        (spoil_card("license: apache-2.0\n", ""), "README.md: no license in its metadata"),
        (spoil_card("license:", "license: ["), "README.md: its metadata is not valid"),
        (spoil_card("mazes/train-", "maze/train-"), r"config 'mazes' names maze/train-\*.parquet, which is not there"),
        (
            spoil_card("configs:", "configs: 5\nothers:"),
            "README.md: 'configs' in its metadata is not a list of config_name",
        ),
        (spoil_card("configs:", "configs: [mazes]\nothers:"), "'configs' in its metadata is not a list of"),
        (
            spoil_card("configs:", "configs: [{config_name: x, data_files: 5}]\nothers:"),
            "'configs' in its metadata is",
        ),
        (
            spoil_card("configs:", "configs: [{config_name: x, data_files: [{split: test, path: [a, b]}]}]\nothers:"),
            "config 'x' names a, which is not there",
        ),
        (append("README.md", f"\ntoken {SECRETS['API key']}"), r"README.md, line \d+: .* a credential .API key."),
    ],
)
def test_what_is_not_finished_or_not_right_is_refused_in_one_line(built, spoil, message):
    spoil(built)
    with pytest.raises(UsageError, match=message) as caught:
        plan_push("dataset", built, REPO)
    assert "\n" not in str(caught.value)
    assert LONG not in str(caught.value)


@pytest.mark.parametrize("files", ["mazes/*.parquet", "[mazes/*.parquet, sft/test-*.parquet]"])
def test_a_card_may_name_its_files_as_the_hub_lets_it(built, files):
    spoil_card("configs:", f"configs: [{{config_name: x, data_files: {files}}}]\nothers:")(built)
    assert plan_push("dataset", built, REPO).card["configs"]


@pytest.mark.parametrize("data", [b"", b"half", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", None])
def test_weights_that_are_not_whole_are_refused_in_one_line(adapter, data):
    path = adapter / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] if data is None else data)
    with pytest.raises(UsageError, match=r"adapter_model.safetensors is not whole: .*; make or download it again"):
        plan_push("adapter", adapter, REPO, base_model="ORG/base")


def test_a_model_without_weights_is_refused(tmp_path):
    for name in ("config.json", "tokenizer_config.json", "README.md"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(UsageError, match=r"is not a finished model, it lacks model.safetensors"):
        plan_push("model", tmp_path, REPO)


@pytest.mark.parametrize(
    ("kind", "repo", "options", "message"),
    [
        ("datset", REPO, {}, "cannot push 'datset'; .*did you mean 'dataset'"),
        ("adapter", REPO, {}, "not a finished adapter, .*; it looks like a dataset: push dataset"),
        ("dataset", "ascii-maze", {}, "'ascii-maze' has no namespace; write ORG/ascii-maze"),
        ("dataset", "datasets/org/ascii-maze", {}, "is not a repository name"),
        ("dataset", "org/ascii maze", {}, "is not a repository name"),
        ("dataset", REPO, {"base_model": "org/x"}, "--base-model is for adapters only"),
        ("dataset", REPO, {"tag": "a b"}, "--tag 'a b' is not a name for git"),
        ("dataset", REPO, {"tag": ""}, "--tag '' is not a name for git"),
        ("dataset", REPO, {"revision": "../x"}, r"--revision '\.\./x' is not a name for git"),
    ],
)
def test_wrong_words_are_refused_in_one_line(built, kind, repo, options, message):
    with pytest.raises(UsageError, match=message):
        plan_push(kind, built, repo, **options)


def test_paths_of_this_machine_stay_here(built, tmp_path):
    record = json.loads((built / "build.json").read_text())
    source = {"model": str(tmp_path / "runs" / "sft"), "samples": 8}
    (built / "build.json").write_text(json.dumps({**record, "preferences_from": source}))
    plan = plan_push("dataset", built, REPO)
    assert json.loads(plan.contents["build.json"])["preferences_from"] == {"model": "sft", "samples": 8}
    report = tmp_path / "report"
    (report / "evaluation").mkdir(parents=True)
    (report / "report.html").write_text("<html></html>")
    models = {"base": "tiny", "hub": "org/x", "mine": str(tmp_path / "sft")}
    rates = {str(tmp_path / "sft"): 1, str(tmp_path / "other" / "sft"): 2}
    results = {"settings": {"models": models}, "rates": rates}
    (report / "evaluation" / "results.json").write_text(json.dumps(results))
    (report / "evaluation" / "gallery.html").write_text(f"<p>{tmp_path}/sft, {tmp_path}/other/sft</p>")
    (report / "evaluation" / "list.json").write_text('["~/x", "#\\n/", 7]')
    contents = plan_push("report", report, "org/report").contents
    sent = json.loads(contents["evaluation/results.json"])
    assert sent["settings"] == {"models": {"base": "tiny", "hub": "org/x", "mine": "sft"}}
    assert sent["rates"] == {"sft": 1, "sft (2)": 2}
    assert contents["evaluation/gallery.html"] == b"<p>sft, sft</p>"
    assert json.loads(contents["evaluation/list.json"]) == ["x", "#\n/", 7]


LOCAL = "/home/ann/my mazes"


@pytest.mark.parametrize(
    ("text", "published"),
    [
        (
            "ascii-maze train /home/ann/sft.yaml --output_dir /home/ann/out/sft",
            "ascii-maze train sft.yaml --output_dir sft",
        ),
        (f"ascii-maze build '{LOCAL}/my.yaml' --out x", "ascii-maze build 'my.yaml' --out x"),
        ("ascii-maze evaluate base=/data/models/base sft=~/runs/sft", "ascii-maze evaluate base=base sft=sft"),
        ("no space left for the run in /home/ann/out/sft; make room", "no space left for the run in sft; make room"),
        ("cannot read ../theirs/x.yaml (see ./logs/a.log)", "cannot read x.yaml (see a.log)"),
        (LOCAL, "my mazes"),
        (f'ascii-maze build "{LOCAL}/my.yaml" --out x', 'ascii-maze build "my.yaml" --out x'),
        ("base:/data/models/base at 10:30", "base:base at 10:30"),
        (r"ascii-maze train C:\Users\ann\sft.yaml --seed 1", "ascii-maze train sft.yaml --seed 1"),
        ("file:///home/ann/x", "x"),
        ("/home/ann/ds=0.8,/home/ann/b=0.2", "ds=0.8,b=0.2"),
        (r"ascii-maze train \\server\runs\sft.yaml --seed 1", "ascii-maze train sft.yaml --seed 1"),
        ("ascii-maze train recipes/tiny/sft.yaml --beta 0.5", "ascii-maze train recipes/tiny/sft.yaml --beta 0.5"),
        ("https://huggingface.co/org/x and/or ORG/NAME@v1, 3/5 </think></answer>", None),
        ("#####\n#S G#\n#####", None),
        ("R R D D / U", None),
    ],
)
def test_of_a_path_of_this_machine_its_name_is_published(text, published):
    assert without_local_paths({"a": [text, 7]}) == {"a": [text if published is None else published, 7]}


def test_no_folder(tmp_path):
    with pytest.raises(UsageError, match=r"no folder .*nowhere; `ascii-maze build` makes one"):
        plan_push("dataset", tmp_path / "nowhere", REPO)
