"""``meshflow config``: what is in force."""

from __future__ import annotations

from typing import Annotated

import typer

from meshflow_grpc.cli.output import OutputFormat, write_record, write_records, write_table

app = typer.Typer(help="Show the configuration.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Show the configuration."""


@app.command()
def show(
    output: Annotated[OutputFormat, typer.Option("--output", "-o", help="How to print.")] = OutputFormat.TABLE,
) -> None:
    """Prints every setting with its value and where it comes from; of secrets only whether they are set."""
    from meshflow_grpc.config import Settings, source_of

    values = Settings.load().redacted()
    rows = [{"variable": name, "value": value, "source": source_of(name)} for name, value in values.items()]
    if output is OutputFormat.JSON:
        write_record({str(row["variable"]): row["value"] for row in rows}, output)
    elif output is OutputFormat.JSONL:
        write_records(rows, output)
    else:
        write_table(("VARIABLE", "VALUE", "SOURCE"), ([_cell(cell) for cell in row.values()] for row in rows))


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return "" if value is None else str(value)
