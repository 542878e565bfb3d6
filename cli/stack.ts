console.log('stack');
