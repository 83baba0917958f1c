using TinyLlm.Data;
using TinyLlm.Model;
using TinyLlm.Tokenizers;

namespace TinyLlm.Cli;

/// <summary>A conversation with a model: questions, and commands that begin with a slash.</summary>
internal sealed class ChatLoop : IDisposable
{
    private const string Help = """
        /reset            forget the conversation; the system's message stays
        /system TEXT      what the system says before it; without TEXT: nothing
        /undo             take back the last question and its answer
        /regenerate       answer the last question anew
        /good, /bad       write down what you think of the last answer
        /compare [TEXT]   two answers to TEXT or to the last question; your pick is written down
        /save FILE        append the conversation to FILE, as finetune --data takes it
        /quit             end; so does Ctrl-D. Ctrl-C stops an answer
        //TEXT            a question that begins with a slash
        """;

    private readonly Gpt model;
    private readonly Tokenizer tokenizer;
    private readonly Sampling sampling;
    private readonly PreferenceFile preferences;
    private readonly ChatTerminal terminal;
    private readonly Generator generator;
    private readonly Dialogue dialogue;
    private uint answers; // so far: each draws its own numbers
    private int leftOut; // questions that the model no longer sees, as far as the user was told

    public ChatLoop(
        Gpt model, Tokenizer tokenizer, Sampling sampling, string? system, PreferenceFile preferences,
        ChatTerminal terminal)
    {
        (this.model, this.tokenizer, this.sampling, this.preferences, this.terminal) =
            (model, tokenizer, sampling, preferences, terminal);
        generator = new Generator(model, reuse: true);
        dialogue = new Dialogue { System = system };
    }

    /// <summary>Answers until the input ends.</summary>
    public void Run()
    {
        while (terminal.ReadLine("> ") is { } line)
        {
            try
            {
                if (!Take(line.Trim()))
                    return;
            }
            catch (Refusal e)
            {
                terminal.Remark(e.Message);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => generator.Dispose();

    // False where it ends the conversation.
    private bool Take(string line)
    {
        int space = line.IndexOf(' ');
        string word = space < 0 ? line : line[..space], rest = space < 0 ? "" : line[space..].Trim();
        switch (word)
        {
            case "":
                break;
            case "/help":
                terminal.Remark(Help);
                break;
            case "/quit":
                return false;
            case "/reset":
                dialogue.Reset();
                leftOut = 0;
                break;
            case "/system":
                dialogue.System = rest.Length > 0 ? rest : null;
                break;
            case "/undo":
                if (!dialogue.Undo())
                    throw NothingAsked(word);
                break;
            case "/regenerate":
                Regenerate(Last(word).Question);
                break;
            case "/good" or "/bad":
                Rate(Last(word), word == "/good");
                break;
            case "/compare":
                Compare(rest.Length > 0 ? rest : Last(word).Question, again: rest.Length == 0);
                break;
            case "/save":
                Save(rest);
                break;
            default:
                if (line.StartsWith('/') && !line.StartsWith("//", StringComparison.Ordinal))
                {
                    throw new Refusal($"{word} is no command; expected one of those that /help lists. A question that "
                        + "begins with a slash begins with two.");
                }

                Answer(line.StartsWith('/') ? line[1..] : line);
                break;
        }

        return true;
    }

    private void Answer(string question)
    {
        var window = Fit(dialogue.Ask(question));
        dialogue.Add(new DialogueTurn(question, Write(window, generator, "").Texts[0], window.Messages));
    }

    private void Regenerate(string question)
    {
        var window = Fit(dialogue.AskAgain());
        string answer = Write(window, generator, "").Texts[0];
        dialogue.Undo();
        dialogue.Add(new DialogueTurn(question, answer, window.Messages));
    }

    private void Compare(string question, bool again)
    {
        var window = Fit(again ? dialogue.AskAgain() : dialogue.Ask(question));
        using var pair = Refusable(() => new Generator(model, 2, window.Ids.Length + MaxTokens(window)));
        var (texts, whole) = Write(window, pair, "A: ", "\nB: ");
        if (!whole)
            throw new Refusal("Stopped: there is nothing to compare, and the conversation is as it was.");

        int pick = 0;
        if (texts[0] == texts[1])
            terminal.Remark("A and B are the same: the conversation goes on with it, and nothing is written down.");
        else
            pick = Pick();
        if (pick < 0)
            throw new Refusal("Neither: the conversation is as it was, and nothing is written down.");
        if (again)
            dialogue.Undo();
        dialogue.Add(new DialogueTurn(question, texts[pick], window.Messages));
        if (texts[0] != texts[1])
            Refusable(() => preferences.Prefer(window.Messages, texts[pick], texts[1 - pick]));
    }

    // 0 for A, 1 for B, -1 for neither.
    private int Pick()
    {
        while (terminal.ReadLine("A or B (Enter: neither)? ") is { } line)
        {
            switch (line.Trim())
            {
                case "a" or "A":
                    return 0;
                case "b" or "B":
                    return 1;
                case "":
                    return -1;
                default:
                    terminal.Remark($"{line.Trim()}: expected A, B, or an empty line for neither.");
                    break;
            }
        }

        return -1;
    }

    private void Rate(DialogueTurn turn, bool good)
    {
        int pairs = Refusable(() => preferences.Rate(turn.Prompt, turn.Answer, good));
        if (ChatTerminal.IsLive)
            terminal.Remark($"Written to {preferences.Path}{(pairs > 0 ? ", and a pair with the other answer" : "")}.");
    }

    private void Save(string path)
    {
        if (path.Length == 0)
            throw new Refusal("/save: expected a file, such as /save chats.jsonl.");
        Last("/save");
        Refusable(() => JsonLinesFile.Append(path, dialogue.Messages));
        if (ChatTerminal.IsLive)
            terminal.Remark($"Appended to {path}.");
    }

    private ChatWindow Fit(IReadOnlyList<ChatMessage> turns)
    {
        int context = model.Config.Context, room = Math.Min(sampling.MaxTokens, context / 4);
        var window = Refusable(() => ChatWindow.Fit(tokenizer, dialogue.System, turns, context, room));
        if (window.LeftOut > leftOut)
        {
            terminal.Remark($"The context of {context:N0} tokens is full: the model no longer sees the first "
                + $"{(window.LeftOut == 1 ? "question" : $"{window.LeftOut:N0} questions")} and what was answered.");
        }

        leftOut = window.LeftOut;
        return window;
    }

    // An answer ends where the context does: beyond it the model would no longer see the question.
    private int MaxTokens(ChatWindow window) => Math.Min(sampling.MaxTokens, model.Config.Context - window.Ids.Length);

    // Answers at the same time, shown one after another; whether none was stopped.
    private (string[] Texts, bool Whole) Write(ChatWindow window, Generator writer, params string[] headings)
    {
        var samples = new SampleOutput(terminal.Output, tokenizer, headings, [], sampling.Stops, keep: true);
        var samplers = headings.Select(_ => sampling.Sampler(model, answers++)).ToArray();
        int most = MaxTokens(window), open = samplers.Length;
        bool whole = true;
        terminal.Answer(stop =>
        {
            writer.Generate(window.Ids, most, samplers, (sample, token) =>
            {
                bool goesOn = samples.Accept(sample, token);
                open -= goesOn ? 0 : 1;
                return goesOn;
            }, stop);
            whole = !stop.IsCancellationRequested || open == 0;
        });
        if (whole)
            samples.EndAll(headings.Length);
        else
            samples.Break();
        terminal.Write("\n");
        if (whole && open > 0 && most < sampling.MaxTokens)
            terminal.Remark($"The answer ends here: the context of {model.Config.Context:N0} tokens is full.");
        return ([.. headings.Select((_, sample) => samples.TextOf(sample))], whole);
    }

    private DialogueTurn Last(string command) => dialogue.Last ?? throw NothingAsked(command);

    private static Refusal NothingAsked(string command) =>
        new($"{command}: nothing was asked yet; ask something first.");

    // What the user can mend does not end the conversation.
    private static T Refusable<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (TinyLlmException e)
        {
            throw new Refusal(e.Message);
        }
    }

    private static void Refusable(Action action) => Refusable(() =>
    {
        action();
        return 0;
    });

    /// <summary>A line that is not done, and why; the conversation goes on.</summary>
    private sealed class Refusal(string message) : Exception(message);
}
