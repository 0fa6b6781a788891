"""What SECURITY.md promises: nothing that a stranger wrote runs, reaches outside, or steers the page or terminal."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from jinja2.sandbox import SecurityError

from ascii_maze.configuration import MOST_BYTES, read_yaml_mapping
from ascii_maze.errors import UsageError, printable
from ascii_maze.recipe import ENVIRONMENT, LAUNCHER_KEY, REFUSED_KEYS, load_recipe, load_resolved, shipped_recipes
from ascii_maze.templating import PAGES, literal, plain, render

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    path for folder in ("ascii_maze", "dataset_builder", "benchmarks") for path in (ROOT / folder).rglob("*.py")
)
RENDERER = ROOT / "ascii_maze" / "templating" / "__init__.py"
UNSAFE_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
UNSAFE_KEYWORDS = {"trust_remote_code": True, "allow_pickle": True, "use_safetensors": False, "weights_only": False}


def offences(source: str, path: Path | None = None) -> list[str]:
    """What in a module would run what a stranger wrote, or put it on a page other than by `templating.render`."""
    found, tree = [], ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None) or ""
            names = {alias.name.split(".")[0] for alias in node.names}
            if (UNSAFE_MODULES & names and not module) or module.split(".")[0] in UNSAFE_MODULES:
                found.append("a module that runs what it reads")
            only_errors = all(name.endswith("Error") for name in names)  # what is caught renders nothing
            if "jinja2" in {module.split(".")[0], *names} and path != RENDERER and not only_errors:
                found.append("a template that is rendered elsewhere")
            if module == "jinja2" and {"Environment", "Template"} & names:
                found.append("a template without a sandbox")
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        keywords = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
        found += [f"{name}={value}" for name, value in UNSAFE_KEYWORDS.items() if keywords.get(name) is value]
        if called == "torch.load" and keywords.get("weights_only") is not True:
            found.append("torch.load without weights_only=True")
        if re.fullmatch(r"yaml\.(unsafe|full)_load(_all)?", called) or (
            called == "yaml.load" and ast.unparse(node.args[-1]) != "PlainLoader"
        ):
            found.append("YAML that makes objects")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_module_runs_what_a_stranger_wrote(path):
    assert offences(path.read_text(), path) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "import jinja2",
        "from jinja2 import Environment",
        "from jinja2.sandbox import SandboxedEnvironment",
        "import torch; torch.load(path)",
        "torch.load(path, weights_only=False)",
        "yaml.load(text, Loader)",
        "yaml.unsafe_load(text)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "np.load(path, allow_pickle=True)",
    ],
)
def test_the_rule_itself_finds_what_it_is_for(source):
    assert offences(source)


@pytest.mark.parametrize("source", ["from jinja2 import Environment", "from jinja2 import Template"])
def test_nor_may_the_one_that_renders_do_without_a_sandbox(source):
    assert offences(source, RENDERER) == ["a template without a sandbox"]


@pytest.mark.parametrize(("name", "rendered"), [("a.html.jinja", "&lt;b&gt;\n"), ("a.md.jinja", "<b>\n")])
def test_pages_are_escaped_and_every_template_is_in_a_sandbox(tmp_path, name, rendered):
    (tmp_path / name).write_text("{{ text }}\n")
    assert render(tmp_path / name, {"text": "<b>"}) == rendered
    (tmp_path / name).write_text(f"{{% extends 'base.{name}' %}}{{% block body %}}{{{{ text }}}}\n{{% endblock %}}")
    (tmp_path / f"base.{name}").write_text("{% block body %}{% endblock %}")
    assert render(tmp_path / name, {"text": "<b>"}) == rendered
    (tmp_path / name).write_text("{{ text.__class__.__mro__ }}")
    with pytest.raises(SecurityError):
        render(tmp_path / name, {"text": ""})
    (tmp_path / name).write_text("{{ nothing }}")
    with pytest.raises(UndefinedError):
        render(tmp_path / name, {})


def test_templates_of_pages_are_never_told_that_something_is_safe():
    pages = [path for path in (*ROOT.glob("*/*.jinja"), *PAGES.glob("*.jinja")) if not path.name.endswith(".md.jinja")]
    assert pages
    for path in pages:
        assert path.name.endswith(".html.jinja"), "the name is what makes it a page, and escaped"
        assert not re.search(r"\|\s*safe\b|autoescape\s+false", path.read_text()), path


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sft, p < 0.05 & more", "sft, p < 0.05 & more"),
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)>"),
        ("</td><!--", "&lt;/td>&lt;!--"),
        ("![x](http://h)[y](javascript:z)", "![x]\\(http://h)[y]\\(javascript:z)"),
        ("a|b\n# c\x1b[2J", "a\\|b # c\\x1b[2J"),
    ],
)
def test_text_of_others_is_no_markup_of_markdown(text, shown):
    from markdown_it import MarkdownIt

    assert plain(text) == shown
    for written in (shown, literal(text)):
        page = MarkdownIt("commonmark", {"html": True}).render(written)
        assert set(re.findall(r"</?(\w+)", page)) <= {"p", "code"}


@pytest.fixture
def recipe(tmp_path):
    def write(text):
        path = tmp_path / "recipe.yaml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("key", REFUSED_KEYS)
def test_keys_that_would_run_code_publish_or_carry_a_secret_are_refused(recipe, key):
    path = recipe(f"method: sft\n{key}: true\n")
    for load in (load_recipe, load_resolved):
        with pytest.raises(UsageError, match=re.escape(REFUSED_KEYS[key])):
            load(path)
    with pytest.raises(UsageError):
        load_recipe(recipe("method: sft\n"), [f"--{key}", "true"])


def test_a_recipe_publishes_nothing_unless_the_command_says_so(recipe, tmp_path):
    pushing = recipe("method: sft\npush_to_hub: true\nhub_model_id: org/x\n").rename(tmp_path / "pushing.yaml")
    for path in (pushing, recipe("extends: pushing.yaml\n")):
        with pytest.raises(UsageError, match="a file may not publish what it trains; give --push_to_hub true"):
            load_recipe(path)
    asked = load_recipe(recipe("method: sft\n"), ["--push_to_hub", "true"])
    assert asked.values["push_to_hub"] == "true"
    assert "push_to_hub" not in asked.to_yaml()


@pytest.mark.parametrize(
    "name",
    [
        *("LD_PRELOAD", "PYTHONPATH", "PATH", "HF_TOKEN", "HF_ENDPOINT", "HF_HOME", "WANDB_API_KEY", "WANDB_BASE_URL"),
        *("NCCL_NET_PLUGIN", "NCCL_TUNER_PLUGIN", "NCCL_CONF_FILE", "http_proxy", "CUDA_INJECTION64_PATH"),
    ],
)
def test_env_sets_nothing_that_loads_a_file_or_sends_somewhere_else(recipe, name):
    with pytest.raises(UsageError, match=f"recipe.yaml: 'env' may not set '{name}'") as refused:
        load_recipe(recipe(f"method: sft\nenv:\n  {name}: x\n"))
    assert "SECURITY.md lists" in str(refused.value)


def test_the_list_of_what_env_may_set_is_that_of_security_md():
    table = (ROOT / "SECURITY.md").read_text().split("## `env:`")[1].split("\n## ")[0]
    assert set(re.findall(r"`([A-Z][A-Z_0-9]+)`", table)) == ENVIRONMENT


@pytest.mark.parametrize("env", ["[NCCL_DEBUG]", "NCCL_DEBUG", "{NCCL_DEBUG: [1]}", "{NCCL_DEBUG: }", "{1: 2}"])
def test_an_env_that_is_no_mapping_of_values_is_refused_in_one_line(recipe, env):
    with pytest.raises(UsageError, match="'env' m") as refused:
        load_recipe(recipe(f"method: sft\nenv: {env}\n"))
    assert "\n" not in str(refused.value)


def test_env_is_set_before_torch_is_imported_and_the_user_s_own_wins(recipe):
    path = recipe("method: sft\nenv:\n  NCCL_DEBUG: WARN\n  TOKENIZERS_PARALLELISM: true\n  WANDB_PROJECT: theirs\n")
    program = (
        "import os, sys, ascii_maze.launch as launch\n"
        "def stop():\n"
        "    print('torch' in sys.modules, *map(os.environ.get, "
        "['NCCL_DEBUG', 'TOKENIZERS_PARALLELISM', 'WANDB_PROJECT']))\n"
        "    sys.exit()\n"
        "launch.prepare_process = stop\n"
        f"launch.train({str(path)!r}, [])\n"
    )
    environment = {**os.environ, "WANDB_PROJECT": "mine"}
    for name in ("NCCL_DEBUG", "TOKENIZERS_PARALLELISM"):
        environment.pop(name, None)
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "False WARN true mine\n"


def test_env_is_of_the_machine_and_not_of_the_run(recipe):
    loaded = load_recipe(recipe("method: sft\nseed: 1\nenv: {CUDA_VISIBLE_DEVICES: 0}\n"))
    assert loaded.env == {"CUDA_VISIBLE_DEVICES": "0"}
    assert loaded.to_yaml() == "method: sft\nseed: 1\n"


def test_the_recipe_beside_a_stranger_s_adapter_reaches_for_no_other_file(recipe, tmp_path):
    (tmp_path / "other.yaml").write_text("method: sft\n")
    path = recipe("extends: other.yaml\nseed: 1\n")
    assert load_recipe(path).method == "sft"
    with pytest.raises(UsageError, match="it extends another recipe"):
        load_resolved(path)


def test_no_shipped_recipe_needs_what_a_resolved_one_may_not():
    for path in shipped_recipes().values():
        if LAUNCHER_KEY in path.read_text():
            assert load_recipe(path).env == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &a [1]\nb: *a\n", r"line 2, column 4: not YAML: an alias \(\*\) is not allowed here"),
        ("a: &a [*a]\n", "an alias"),
        ("".join(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 10)), "an alias"),
        ("a: " + "[" * 5000, "not YAML"),
        ("a: " + "[" * 5000 + "]" * 5000, "not YAML"),
        ("a: " + "9" * 5000, "not YAML"),
        ("a: !!int x", "not YAML"),
        ("a: !!timestamp x", "not YAML"),
        ("a: !!bool x", "not YAML"),
        ("a: !!timestamp 2026-13-13", "not YAML"),
        ("a: !!python/name:os.system", "not YAML"),
        ("a: !!python/object/new:os.system [true]", "not YAML"),
        ("? [a]\n: 1\n", "not YAML"),
        ("a: \x00", "not YAML"),
        ("#" * (MOST_BYTES + 1), "larger than"),
    ],
)
def test_yaml_that_is_meant_to_hurt_is_refused_in_one_short_line(recipe, text, message):
    with pytest.raises(UsageError, match=message) as refused:
        read_yaml_mapping(recipe(text))
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


def test_what_a_stranger_wrote_does_not_steer_the_terminal(recipe, capsys):
    from ascii_maze.evaluation.show import draw
    from ascii_maze.metrics.path_validity.maze import Maze

    assert printable("a\x1b[2Jb\nc\u202ed\x9b é █") == "a\\x1b[2Jb\nc\\u202ed\\x9b é █"
    draw([("\x1b]0;taken over\x07 caption", Maze.from_ascii("S G"), "RR")])
    path = recipe('method: "\\e[2J"\n')
    command = [sys.executable, "-m", "ascii_maze", "train", str(path)]
    shown = capsys.readouterr().out + subprocess.run(command, capture_output=True, text=True).stderr
    assert "caption" in shown
    assert "unknown method '\\x1b[2J'" in shown
    assert "\x1b]" not in shown
    assert "\x1b[2J" not in shown


def steers(call: ast.Call) -> bool:
    """Whether a `print` might show what a stranger wrote as it stands."""

    def is_safe(node: ast.AST) -> bool:
        match node:
            case ast.Constant():
                return True
            case ast.IfExp():
                return is_safe(node.body) and is_safe(node.orelse)
            case ast.JoinedStr():
                return all(map(is_safe, node.values))
            case ast.FormattedValue(format_spec=ast.JoinedStr(values=[ast.Constant(value=spec)])) if spec[-1] in ",df":
                return True  # a number: a text has no such format
            case ast.FormattedValue():
                return is_safe(node.value)
        return isinstance(node, ast.Call) and ast.unparse(node.func) in ("printable", "one_line", "json.dumps")

    return not all(map(is_safe, call.args))


SOURCES = sorted(path for folder in ("ascii_maze", "dataset_builder") for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_everything_is_printed_so_that_it_steers_nothing(path):
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    raw = [ast.unparse(call) for call in calls if ast.unparse(call.func) == "print" and steers(call)]
    assert not raw


def test_a_raw_print_is_seen():
    raw = ["print(name)", "print(f'{name:<9}: x')", "print('a', name)", "print(json.dumps(x) if y else x)"]
    for line in [
        *raw,
        "print(printable(x))",
        "print(f'a: {one_line(x)} {n:,}')",
        "print(json.dumps(x) if y else printable(x))",
    ]:
        assert steers(ast.parse(line).body[0].value) == (line in raw)


@pytest.mark.parametrize("name", ["README.md", "checkpoint-7/optimizer.pt", "adapter_model.safetensors"])
def test_a_run_writes_over_nothing_but_a_run(recipe, tmp_path, name):
    from ascii_maze.training.run import is_finished

    out = tmp_path / "mine"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text("of years of work")
    with pytest.raises(UsageError, match=rf"{re.escape(str(out))} holds no run; give another --output_dir"):
        is_finished(out, load_recipe(recipe("method: sft\n")))
    assert (out / name).read_text() == "of years of work"


def test_an_adapter_of_pickles_is_refused_unread(tmp_path):
    from ascii_maze.models.adapter_config import ModelError
    from ascii_maze.models.adapters import read_weights

    (tmp_path / "adapter_model.bin").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ModelError, match=r"has no adapter_model.safetensors; no other format is read"):
        read_weights(str(tmp_path))
    with pytest.raises(ModelError, match=r"'org/not-there' has no adapter_model.safetensors"):
        read_weights("org/not-there")
