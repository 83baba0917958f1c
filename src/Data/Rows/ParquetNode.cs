using System.Text.Json;
using Parquet.Schema;

namespace TinyLlm.Data;

/// <summary>
/// Puts a column of a table together again, groups and lists included: the reverse of how Parquet takes rows apart
/// (Dremel, figure 5). A group or a list is as its first leaf says; all its leaves go on together.
/// </summary>
internal abstract class ParquetNode
{
    /// <summary>The leaves below it, at least one.</summary>
    public IReadOnlyList<ParquetLeaf> Leaves { get; private init; } = [];

    /// <summary>Whether the entry that is next has it; otherwise it is null, and is left out.</summary>
    public abstract bool IsThere { get; }

    /// <summary>What decides: <see cref="Leaves"/> are alike in it.</summary>
    protected ParquetLeaf First => Leaves[0];

    /// <summary>The node of a field of the schema.</summary>
    /// <param name="field">The field.</param>
    /// <param name="leaf">The leaf of a column.</param>
    /// <exception cref="InvalidDataException">It is a group without columns.</exception>
    public static ParquetNode Create(Field field, Func<DataField, ParquetLeaf> leaf)
    {
        switch (field)
        {
            case DataField { IsArray: true } column:
                var item = new Leaf(column.MaxDefinitionLevel) { Leaves = [leaf(column)] };
                return new List(item, column.MaxDefinitionLevel, column.MaxRepetitionLevel, isNullable: false)
                {
                    Leaves = item.Leaves,
                };
            case DataField column:
                return new Leaf(column.MaxDefinitionLevel) { Leaves = [leaf(column)] };
            case ListField list:
                var element = Create(list.Item, leaf);
                return new List(element, list.MaxDefinitionLevel, list.MaxRepetitionLevel, list.IsNullable)
                {
                    Leaves = element.Leaves,
                };
            case MapField map:
                var pair = new Group([("key", Create(map.Key, leaf)), ("value", Create(map.Value, leaf))],
                    map.MaxDefinitionLevel);
                return new List(pair, map.MaxDefinitionLevel, map.MaxRepetitionLevel, map.IsNullable)
                {
                    Leaves = pair.Leaves,
                };
            case StructField { Fields.Count: > 0 } group:
                return new Group([.. group.Fields.Select(child => (child.Name, Create(child, leaf)))],
                    group.MaxDefinitionLevel);
            default:
                throw new InvalidDataException($"the column {field.Path} is a group without columns");
        }
    }

    /// <summary>Writes it, and goes on to the next entry.</summary>
    public abstract void Write(Utf8JsonWriter json);

    /// <summary>Goes on to the next entry without it.</summary>
    public void Skip()
    {
        foreach (var leaf in Leaves)
            leaf.Next();
    }

    private sealed class Leaf(int definition) : ParquetNode
    {
        public override bool IsThere => First.Definition == definition;

        public override void Write(Utf8JsonWriter json)
        {
            First.Write(json);
            First.Next();
        }
    }

    private sealed class Group : ParquetNode
    {
        private readonly (string Name, ParquetNode Node)[] children;
        private readonly int definition;

        public Group((string Name, ParquetNode Node)[] children, int definition)
        {
            (this.children, this.definition) = (children, definition);
            Leaves = [.. children.SelectMany(child => child.Node.Leaves)];
        }

        public override bool IsThere => First.Definition >= definition;

        public override void Write(Utf8JsonWriter json)
        {
            json.WriteStartObject();
            foreach (var (name, node) in children)
            {
                if (!node.IsThere)
                {
                    node.Skip();
                    continue;
                }

                json.WritePropertyName(name);
                node.Write(json);
            }

            json.WriteEndObject();
        }
    }

    // The definition is that of an item's being there: one less is an empty list, two less is none where the list may
    // be null.
    private sealed class List(ParquetNode item, int definition, int repetition, bool isNullable) : ParquetNode
    {
        public override bool IsThere => !isNullable || First.Definition >= definition - 1;

        public override void Write(Utf8JsonWriter json)
        {
            json.WriteStartArray();
            if (First.Definition < definition)
            {
                Skip();
            }
            else
            {
                do
                {
                    if (item.IsThere)
                        item.Write(json);
                    else
                        WriteNull(json);
                }
                while (GoesOn());
            }

            json.WriteEndArray();
        }

        private void WriteNull(Utf8JsonWriter json)
        {
            json.WriteNullValue();
            item.Skip();
        }

        private bool GoesOn()
        {
            bool goesOn = First.Repetition == repetition;
            foreach (var leaf in Leaves)
            {
                if (leaf.Repetition == repetition != goesOn)
                    throw ParquetLeaf.Short();
            }

            return goesOn;
        }
    }
}
