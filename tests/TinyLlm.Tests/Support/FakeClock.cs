namespace TinyLlm.Tests.Support;

/// <summary>A clock that moves only when it is told to.</summary>
internal sealed class FakeClock : TimeProvider
{
    private long ticks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => ticks;

    public void Advance(double minutes) => ticks += TimeSpan.FromMinutes(minutes).Ticks;
}
