Console.WriteLine("tinyllm");
